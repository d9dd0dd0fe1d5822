import { runService } from '../platform/run-service.ts';
import { owns } from './owns.ts';

export const main = (): Promise<void> => runService('orders', owns);

if (import.meta.main) await main();
