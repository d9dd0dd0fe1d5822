// Runs before the first paint, so that a dark room is not flashed with white. The choice is kept by src/lib/theme.svelte.ts.
(() => {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    let choice = null;
    try {
      choice = localStorage.getItem('bookstream.theme');
    } catch {
      // Storage may be forbidden: follow the system.
    }
    document.documentElement.dataset.theme =
      choice === 'light' || choice === 'dark' ? choice : dark.matches ? 'dark' : 'light';
  };
  dark.addEventListener('change', apply);
  addEventListener('bookstream:theme', apply);
  apply();
})();
