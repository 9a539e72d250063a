/** What kind of screen and user this is. */

/** Whether the page stands in its narrow arrangement, with sheets from below. */
export const isNarrow = () => window.matchMedia('(max-width: 760px)').matches;

/** Whether the user asked for less movement. */
export const isCalm = () => window.matchMedia('(prefers-reduced-motion: reduce)').matches;
