/**
 * Who works on which task, as Kafka Streams' HighAvailabilityTaskAssignor decides it (KIP-441): shares by capacity, tasks stay where they
 * are, and a task that must move goes to a member whose copy of its state is nearly there, or waits until one has warmed up.
 */

export interface SharedTask {
  readonly taskId: string;
  /** Has state that a new owner must have first. */
  readonly stateful: boolean;
}

export interface SharingMember {
  readonly memberId: string;
  /** Stable over restarts: what is decided by it does not change with a rejoin. */
  readonly name: string;
  /** Members of one process fail together: none keeps a copy of another one's task. */
  readonly processId: string;
  /** Share of the work, relative to the others'. */
  readonly capacity: number;
  /** Tasks it had until now. */
  readonly owned: ReadonlySet<string>;
  /** Changelog records that its copy of a stateful task's state lacks; 0 while it works on the task. */
  readonly lag: (taskId: string) => number;
}

export interface SharingOptions {
  /** Copies of each stateful task's state that are kept up on other members. */
  readonly numStandbyReplicas: number;
  /** A copy that lacks no more records than this is good enough to take over at once. */
  readonly acceptableRecoveryLag: number;
  /** Copies at once that are made only so that a task can move to them. */
  readonly maxWarmupReplicas: number;
}

export interface TaskShare {
  readonly active: readonly string[];
  /** Tasks whose state it keeps up beside their owner: the warm-ups, too. */
  readonly standby: readonly string[];
  /** Tasks that are to move to it as soon as their state is there. */
  readonly warmup: readonly string[];
}

interface Share {
  readonly member: SharingMember;
  /** Where balance and stickiness put tasks; `active` is what state allows now. */
  readonly ideal: string[];
  readonly active: string[];
  readonly standby: string[];
  readonly warmup: string[];
  /** Tasks that it must have at least, and whether it may have one more. */
  readonly least: number;
  readonly mayHaveMore: boolean;
}

/** @returns by member id; every task is active on one member, and a standby on no member that works on it */
export function shareTasks(
  tasks: readonly SharedTask[],
  members: readonly SharingMember[],
  options: SharingOptions,
): ReadonlyMap<string, TaskShare> {
  const shares = emptyShares(tasks.length, members);
  if (shares.length === 0) return new Map();
  placeIdeally(tasks, shares, options);
  const warmups = placeActives(tasks, shares, options);
  placeStandbys(tasks, shares, warmups, options);
  return new Map(
    shares.map(({ member, active, standby, warmup }) => [
      member.memberId,
      { active, standby: [...standby, ...warmup], warmup },
    ]),
  );
}

function emptyShares(count: number, members: readonly SharingMember[]): readonly Share[] {
  const capacity = members.reduce((sum, member) => sum + member.capacity, 0);
  return [...members]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((member) => {
      const exact = (count * member.capacity) / capacity;
      const least = Math.floor(exact + 1e-9);
      return { member, ideal: [], active: [], standby: [], warmup: [], least, mayHaveMore: exact - least > 1e-9 };
    });
}

/** Takes the first that is least by the given measures, in their order. */
function best<T>(candidates: readonly T[], ...measures: readonly ((one: T) => number)[]): T | undefined {
  const before = (a: T, b: T): boolean => {
    for (const measure of measures) {
      const [x, y] = [measure(a), measure(b)];
      if (x !== y) return x < y;
    }
    return false;
  };
  return candidates.reduce<T | undefined>(
    (found, one) => (found === undefined || before(one, found) ? one : found),
    undefined,
  );
}

const subTopologyOf = (taskId: string): string => taskId.slice(0, taskId.indexOf('_'));
const partitionOf = (taskId: string): number => Number(taskId.slice(taskId.indexOf('_') + 1));
const lagOf = (share: Share, task: SharedTask): number => (task.stateful ? share.member.lag(task.taskId) : 0);

/** Fills every member's share: first with what it has, then with what is left over. */
function placeIdeally(tasks: readonly SharedTask[], shares: readonly Share[], options: SharingOptions): void {
  let extra = tasks.length - shares.reduce((sum, share) => sum + share.least, 0);
  const hasRoom = (share: Share): boolean =>
    share.ideal.length < share.least || (share.ideal.length === share.least && share.mayHaveMore && extra > 0);
  const give = (share: Share, task: SharedTask): void => {
    if (share.ideal.length >= share.least) extra -= 1;
    share.ideal.push(task.taskId);
  };
  const ownerOf = new Map(
    tasks.map((task) => [
      task.taskId,
      best(
        shares.filter((share) => share.member.owned.has(task.taskId)),
        (share) => lagOf(share, task),
      ),
    ]),
  );
  const short = new Set(
    shares.filter((share) => tasks.filter((task) => ownerOf.get(task.taskId) === share).length < share.least),
  );
  const behind = (share: Share, task: SharedTask): number => {
    const lag = lagOf(share, task);
    return lag <= options.acceptableRecoveryLag ? 0 : lag;
  };
  /** Records to restore if it went from its owner to the member that needs work and has most of it; 0 where they are few. */
  const costOfMoving = (task: SharedTask): number =>
    Math.min(Number.POSITIVE_INFINITY, ...[...short].map((share) => behind(share, task)));
  // Who has too much gives away what is cheapest to move; of what costs the same, some of each sub-topology.
  const dearestFirst = tasks
    .map((task) => ({ task, cost: costOfMoving(task) }))
    .sort((a, b) => compare(b.cost, a.cost) || partitionOf(a.task.taskId) - partitionOf(b.task.taskId));
  const left = new Set(tasks);
  for (const { task } of dearestFirst) {
    const owner = ownerOf.get(task.taskId);
    if (owner === undefined || !hasRoom(owner)) continue;
    give(owner, task);
    left.delete(task);
  }
  for (const task of left) {
    const sub = subTopologyOf(task.taskId);
    const taker = best(
      shares.filter(hasRoom),
      (share) => behind(share, task),
      (share) => share.ideal.length / share.member.capacity,
      (share) => share.ideal.filter((id) => subTopologyOf(id) === sub).length,
      (share) => lagOf(share, task),
    );
    if (taker !== undefined) give(taker, task); // there is room for as many as there are tasks
  }
}

const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * A task whose state is not where it should go stays with who has it, and is warmed up there.
 * @returns the member that warms a task up
 */
function placeActives(
  tasks: readonly SharedTask[],
  shares: readonly Share[],
  { acceptableRecoveryLag, maxWarmupReplicas }: SharingOptions,
): ReadonlyMap<string, Share> {
  const warmups = new Map<string, Share>();
  const waiting: { readonly task: SharedTask; readonly goal: Share }[] = [];
  for (const task of tasks) {
    const goal = shares.find((share) => share.ideal.includes(task.taskId));
    if (goal === undefined) continue;
    const lag = lagOf(goal, task);
    if (lag <= acceptableRecoveryLag) goal.active.push(task.taskId);
    // With nobody caught up, half of the work saved is worth a second move.
    else if (shares.some((share) => worthIt(lagOf(share, task), lag, acceptableRecoveryLag)))
      waiting.push({ task, goal });
    else goal.active.push(task.taskId);
  }
  // Those that are nearly there first: what has begun is not given up for something else.
  for (const { task, goal } of waiting.sort((a, b) => compare(lagOf(a.goal, a.task), lagOf(b.goal, b.task)))) {
    const holder = best(
      shares.filter((share) => worthIt(lagOf(share, task), lagOf(goal, task), acceptableRecoveryLag)),
      (share) => (share.member.owned.has(task.taskId) ? 0 : 1),
      (share) => Math.max(acceptableRecoveryLag, lagOf(share, task)),
      (share) => share.active.length / share.member.capacity,
    );
    (holder ?? goal).active.push(task.taskId);
    if (warmups.size >= maxWarmupReplicas) continue; // its turn comes when others have moved
    goal.warmup.push(task.taskId);
    warmups.set(task.taskId, goal);
  }
  return warmups;
}

const worthIt = (lag: number, goalLag: number, acceptableRecoveryLag: number): boolean =>
  lag <= acceptableRecoveryLag || lag * 2 < goalLag;

/** Copies stay where they are, and where there is most of them; nobody keeps many more than others. */
function placeStandbys(
  tasks: readonly SharedTask[],
  shares: readonly Share[],
  warmups: ReadonlyMap<string, Share>,
  { numStandbyReplicas }: SharingOptions,
): void {
  const stateful = tasks.filter((task) => task.stateful);
  const replicas = Math.min(numStandbyReplicas, shares.length - 1);
  const capacity = shares.reduce((sum, share) => sum + share.member.capacity, 0);
  const fairShare = (share: Share): number =>
    Math.ceil((stateful.length * replicas * share.member.capacity) / capacity);
  const takenIn = (processId: string, taskId: string): boolean =>
    shares.some(
      (share) =>
        share.member.processId === processId &&
        (share.active.includes(taskId) || share.standby.includes(taskId) || warmups.get(taskId) === share),
    );
  for (let replica = 0; replica < replicas; replica += 1) {
    for (const task of stateful) {
      const taker = best(
        shares.filter((share) => !takenIn(share.member.processId, task.taskId)),
        (share) => (share.standby.length < fairShare(share) ? 0 : 1),
        (share) => lagOf(share, task),
        (share) => (share.standby.length + share.active.length) / share.member.capacity,
      );
      taker?.standby.push(task.taskId);
    }
  }
}
