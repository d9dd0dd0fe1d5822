export type Theme = 'system' | 'light' | 'dark';

const name = 'bookstream.theme';

function kept(): Theme {
  try {
    const value = localStorage.getItem(name);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system';
  }
}

let choice = $state<Theme>(kept());

/** The person's choice of light or dark; static/theme.js applies it, also before the first paint. */
export const theme = {
  get choice() {
    return choice;
  },
  choose(next: Theme): void {
    choice = next;
    try {
      if (next === 'system') localStorage.removeItem(name);
      else localStorage.setItem(name, next);
    } catch {
      // Storage forbidden: the system's theme stays.
    }
    dispatchEvent(new Event('bookstream:theme'));
  },
};
