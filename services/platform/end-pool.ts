export { endPool } from '@bookstream/projections/sinks/end-pool';
