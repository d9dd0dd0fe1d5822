import type { Assignment, Member, MemberShare, OtherMembers } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import type { RunnerOptions } from './application-runner.ts';
import { type TaskInputs, tasksGiven, tasksOf } from './assignor.ts';
import { encodeReport, type StandbyShare, shareOut, standbyShareIn } from './group-shares.ts';
import { messageOf } from './log.ts';
import type { PartitionCounts } from './partition-counts.ts';
import { Probing } from './probing.ts';
import type { TaskStorages } from './task-storages.ts';

export interface GroupDialogueOptions {
  readonly runner: RunnerOptions;
  readonly plan: ApplicationPlan;
  readonly counts: PartitionCounts;
  readonly storages: Pick<TaskStorages, 'positions'>;
  /** Ids of the tasks whose state is complete here. */
  readonly running: () => readonly string[];
  /** Asks the group to share out anew. */
  readonly rejoin: () => void;
}

/** What this instance and its group tell each other about tasks and their state, and what of it is logged. */
export class GroupDialogue {
  readonly #options: GroupDialogueOptions;
  readonly #probing: Probing;
  #probes = 0;

  constructor(options: GroupDialogueOptions) {
    this.#options = options;
    this.#probing = new Probing({
      intervalMs: options.runner.probingRebalanceIntervalMs,
      rejoin: () => {
        this.#probes += 1;
        options.rejoin();
      },
    });
  }

  /** For whoever leads the group. */
  report(): Uint8Array {
    const { runner, running, storages } = this.#options;
    const positions = Object.fromEntries(storages.positions());
    const { processId, capacity } = runner;
    return encodeReport({ processId, capacity, running: running(), positions, probes: this.#probes });
  }

  /** As the leader. */
  shareOut(members: readonly Member[]): Promise<ReadonlyMap<string, MemberShare>> {
    const { kafka, applicationId, log } = this.#options.runner;
    return shareOut(this.#tasks(), members, kafka, this.#options.runner, (error) => {
      const text = `${applicationId}: tasks are shared out without knowing who has their state: ${messageOf(error)}`;
      log('warn', 'lags-unknown', text, { error });
      this.#probing.decidedBlindly();
    });
  }

  #tasks(): readonly TaskInputs[] {
    const { plan, counts } = this.#options;
    return tasksOf(plan, (topic) => counts.of(topic));
  }

  /** What the leader has given this instance. @throws TopologyError – a task without all of its inputs */
  assigned({ partitions, group, userData }: Assignment): StandbyShare & { readonly wanted: readonly TaskInputs[] } {
    const { applicationId, log } = this.#options.runner;
    const wanted = tasksGiven(applicationId, this.#tasks(), partitions);
    const { standby, warmup } = standbyShareIn(userData);
    const { generationId } = group;
    const tasks = wanted.map((task) => task.taskId);
    const kept = standby.length === 0 ? '' : `, standby of ${standby.join(', ')}`;
    const text = `${applicationId}: tasks ${tasks.join(', ') || 'none'}${kept} in generation ${generationId}`;
    log('info', 'assigned', text, { applicationId, generationId, tasks, standbys: standby, warmups: warmup });
    this.#probing.assigned(warmup);
    return { wanted, standby, warmup };
  }

  /** The warm-ups that were assigned last are caught up. */
  warm(): void {
    this.#probing.warm();
  }

  waitsFor({ agreement, names }: OtherMembers): void {
    const { runner, plan } = this.#options;
    const { applicationId, log } = runner;
    log(
      'warn',
      'topology-differs',
      `${applicationId} waits: its topology is ${plan.hash}, that of ${names.join(', ')} is ${agreement ?? 'unknown'}; ` +
        'it takes over when they have left, and processes nothing until then',
      { hash: plan.hash, theirs: agreement, waitingFor: names },
    );
  }

  /** Nothing is asked any more. */
  close(): void {
    this.#probing.stop();
  }
}
