import { type Serde, Serdes, type Windowed } from '../index.ts';
import type { CaseStep } from './case.ts';

/** Cases write windowed keys as text, `k@[0,10)` or, for a session, `k@[3,9]`, wherever a key is visible. */
export type AnyKey = string | Windowed<AnyKey>;

/** What closes a key's windows, the outermost first. */
export type Brackets = readonly string[];

export const rendered = (key: AnyKey, brackets: Brackets): string => {
  if (typeof key === 'string') return key;
  const { startMs, endMs } = key.window;
  return `${rendered(key.key, brackets.slice(1))}@[${startMs},${endMs}${brackets[0] ?? ')'}`;
};

/** Writes windowed keys as text, too; what is read is text. */
export const keySerdeOf = (brackets: Brackets): Serde<AnyKey> => ({
  serialize: (topic, key) => Serdes.string.serialize(topic, rendered(key, brackets)),
  deserialize: Serdes.string.deserialize,
});

/** By the windows that the steps above a step have made. */
export function bracketsOf(step: CaseStep, steps: ReadonlyMap<string, CaseStep>): Brackets {
  const above = steps.get(String(step.from ?? step.left));
  const those = above === undefined || above === step ? [] : bracketsOf(above, steps);
  if (step.op !== 'windowedBy') return those;
  const { type } = step.window as { readonly type: string }; // cases are recorded in this form
  return [type === 'session' ? ']' : ')', ...those];
}
