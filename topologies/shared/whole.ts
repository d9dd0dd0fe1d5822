/** What the shop reads is keyed and has a value; a record that lacks one of them is a dead letter before any rule sees it. */
export const whole = { nullKeys: 'dead-letter', nullValues: 'dead-letter' } as const;
