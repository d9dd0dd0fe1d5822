import { notifications as notificationsProjection } from '@bookstream/projections/notifications/projection';
import * as notifications from '@bookstream/topologies/notifications/topology';
import type { Owns } from '../platform/owns.ts';

/** What a person is told. */
export const owns: Owns = { topologies: [notifications], projections: [notificationsProjection] };
