/** Where to go after a login: the `next` of the address if it is a path of this page, else the books. Another site's address is not followed. */
export function nextPage(search: Pick<URLSearchParams, 'get'>): string {
  const next = search.get('next') ?? '/';
  return /^\/(?![/\\])/.test(next) ? next : '/';
}
