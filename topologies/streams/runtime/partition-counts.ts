import { EngineRuleError, ProductionError } from '../errors.ts';
import type { KafkaPort } from '../kafka/port.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import { prepareTopics, type TopicOptions } from './internal-topics.ts';

/** A topic that was missing may have been made meanwhile. */
const askAgainMs = 60_000;

/** How many partitions the topics of an application have. Outlives its runs: what one run finds unknown, the next one asks for. */
export class PartitionCounts {
  /** Topics that sinks have named while they ran: what a topic extractor chooses is not known before. */
  readonly #named = new Set<string>();
  #askedMs = 0;
  #counts: ReadonlyMap<string, number> = new Map();

  /** Creates and checks the application's topics, and asks for the counts anew. @throws what `prepareTopics` throws */
  async load(plan: ApplicationPlan, kafka: KafkaPort, options: TopicOptions): Promise<void> {
    this.#askedMs = Date.now();
    const named = await kafka.partitionCounts([...this.#named]);
    this.#counts = new Map([...named, ...(await prepareTopics(plan, kafka, options))]);
  }

  /** Those that are there. */
  get topics(): readonly string[] {
    return [...this.#counts.keys()];
  }

  /** 0 where there is no such topic. */
  of(topic: string): number {
    return this.#counts.get(topic) ?? 0;
  }

  /**
   * Of a topic that a record goes to.
   * @throws EngineRuleError – it is named for the first time, or was missing a minute ago: begin the run again; ProductionError – it is not there
   */
  ofTarget(topic: string): number {
    const count = this.#counts.get(topic);
    if (count !== undefined) return count;
    if (this.#named.has(topic) && Date.now() - this.#askedMs < askAgainMs)
      throw new ProductionError(topic, `there is no topic ${topic}; nothing was sent. Create it first.`);
    // A task cannot wait for an answer, so the run begins again with it. No handler is asked: the record is not at fault.
    this.#named.add(topic);
    throw new EngineRuleError(`${topic} is not known yet: how many partitions it has is asked for at once`);
  }
}
