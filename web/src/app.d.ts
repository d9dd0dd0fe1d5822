declare global {
  namespace App {
    interface PageState {
      /** The order was placed just now, epoch milliseconds: its page may come a moment later. */
      placedAt?: number;
    }
  }
}

export {};
