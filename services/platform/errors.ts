/** The environment does not say what a process needs. Every fault is named at once, with its value and its cure. */
export class ConfigError extends Error {
  readonly code = 'CONFIG';

  constructor(faults: readonly string[]) {
    super(`The configuration is not usable; nothing was started.\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** A topic on the broker is not what the manifest says. */
export class TopicMismatchError extends Error {
  readonly code = 'TOPIC_MISMATCH';

  constructor(topic: string, what: string, cure: string) {
    super(`Topic ${topic} ${what}; nothing was changed. Cure: ${cure}`);
    this.name = 'TopicMismatchError';
  }
}
