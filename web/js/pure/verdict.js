/** An answer of the screening, ordered for reading: worst first. */

/** @typedef {import('../types').Answer} Answer */
/** @typedef {import('../types').Finding} Finding */
/** @typedef {import('../types').Parts} Parts */
/** @typedef {import('../types').Severity} Severity */
/** @typedef {import('../types').Verdict} Verdict */

/** Worst first. @type {readonly Verdict[]} */
export const VERDICTS = ['conflict', 'unknown', 'edge', 'clear'];

/** Worst first. @type {readonly Severity[]} */
export const SEVERITIES = ['prohibited', 'restricted', 'review', 'notice'];

/**
 * Order of two findings: verdict, then severity, then rule id.
 * @param {Pick<Finding, 'verdict' | 'severity' | 'rule'>} a
 * @param {Pick<Finding, 'verdict' | 'severity' | 'rule'>} b
 */
export function worstFirst(a, b) {
  return (
    VERDICTS.indexOf(a.verdict) - VERDICTS.indexOf(b.verdict) ||
    severityRank(a.severity) - severityRank(b.severity) ||
    a.rule.localeCompare(b.rule)
  );
}

/** @param {Severity | null} severity */
function severityRank(severity) {
  const at = severity ? SEVERITIES.indexOf(severity) : -1;
  return at < 0 ? SEVERITIES.length : at;
}

/**
 * Segments of the four-colour strip, worst first, only those that are there; their shares sum to 1.
 * A sliver keeps a visible width: `width` is at least 3 % for anything present.
 * @param {Parts | null | undefined} parts
 * @param {Verdict} verdict of the whole, for a point, which has no parts
 * @returns {{verdict: Verdict, share: number, width: number, amount: import('../types').Part | null}[]}
 */
export function strip(parts, verdict) {
  if (!parts) return [{ verdict, share: 1, width: 100, amount: null }];
  const present = VERDICTS.flatMap((each) => {
    const amount = parts[each];
    const size = amount?.area_m2 ?? amount?.length_m ?? 0;
    return amount && (amount.share ?? size) > 0 ? [{ verdict: each, size, amount }] : [];
  });
  if (!present.length) return [{ verdict, share: 1, width: 100, amount: null }];
  const whole = present.reduce((sum, each) => sum + each.size, 0);
  const shares = present.map((each) => each.amount.share ?? (whole ? each.size / whole : 1));
  const widths = shares.map((share) => Math.max(3, share * 100));
  const sum = widths.reduce((all, each) => all + each, 0);
  return present.map((each, at) => ({
    verdict: each.verdict,
    share: shares[at] ?? 0,
    width: ((widths[at] ?? 0) / sum) * 100,
    amount: each.amount,
  }));
}

/**
 * Themes worst first, each with its findings worst first; those without a finding left out.
 * @param {Answer} answer
 */
export function themesWorstFirst(answer) {
  return answer.themes
    .map((theme) => ({ ...theme, findings: [...theme.findings].sort(worstFirst) }))
    .sort(
      (a, b) =>
        VERDICTS.indexOf(a.verdict) - VERDICTS.indexOf(b.verdict) || severityRank(a.severity) - severityRank(b.severity),
    );
}

/**
 * All attributes that are missing for a verdict, each once.
 * @param {Answer} answer
 * @returns {import('../types').Missing[]}
 */
export function missingAttributes(answer) {
  const all = answer.themes.flatMap((theme) => theme.findings.flatMap((finding) => finding.missing));
  return [...new Map(all.map((each) => [each.name, each])).values()];
}
