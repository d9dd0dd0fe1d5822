/** What a reader waits for: that somebody rings, or a while, since a ring that was missed is made up for by the next look. One reader at a time. */
export class Bell {
  #rung = false;
  #resolve: (() => void) | null = null;

  ring(): void {
    this.#rung = true;
    this.#resolve?.();
  }

  /** @returns true when it was rung */
  async wait(ms: number): Promise<boolean> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#resolve = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#resolve = null;
    }
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }
}
