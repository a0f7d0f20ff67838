/** What the words mean by which tools say how something went: a sign, a tone, an order. Pure: no DOM. */

// A sign and a word stand beside the colour, for everybody who does not see it.
const KINDS = [
  { tone: "bad", sign: "✗", words: ["fail", "failed", "failure", "error", "critical", "fatal", "bad", "invalid", "down", "high"] },
  { tone: "warn", sign: "!", words: ["warn", "warning", "degraded", "expiring", "partial", "medium"] },
  { tone: "note", sign: "i", words: ["info", "note", "notice", "hint", "low"] },
  { tone: "good", sign: "✓", words: ["ok", "pass", "passed", "success", "succeeded", "good", "valid", "done", "complete", "completed", "up"] },
  { tone: "quiet", sign: "–", words: ["skipped", "skip", "pending", "unknown", "none", "cancelled", "ignored"] },
];
const BY_WORD = new Map(KINDS.flatMap((kind, order) => kind.words.map((word) => [word, { ...kind, order, word }])));
const GRADES = [["good", /^[AB][+-]?$/], ["warn", /^[CD][+-]?$/], ["bad", /^[EF][+-]?$/]];

/** {tone, sign, order, word} of a status; null for a text that is none. */
export function statusOf(text) {
  return typeof text === "string" ? (BY_WORD.get(text.toLowerCase()) ?? null) : null;
}

/** The tone of a grade such as "A", "C+" or "pass". */
export function toneOf(grade) {
  return GRADES.find(([, letters]) => letters.test(grade))?.[0] ?? statusOf(grade)?.tone ?? "quiet";
}
