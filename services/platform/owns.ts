/** What a service answers for. Each name is a folder in `topologies/` and `projections/`. */
export interface Owns {
  readonly topologies: readonly string[];
  readonly projections: readonly string[];
}

/** What several services own together: one process may host them all. */
export const allOf = (lists: readonly Owns[]): Owns => ({
  topologies: lists.flatMap((list) => list.topologies),
  projections: lists.flatMap((list) => list.projections),
});
