// A page of its own kind for each person, filled from the API: nothing is rendered on a server or ahead of time.
export const ssr = false;
export const prerender = false;
