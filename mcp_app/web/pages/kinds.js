/** Values drawn by the `kind` they say they are. What says none, or has other members than it, is not drawn here. */

import { growing, tableOf } from "./tables.js";
import { analysis, FindingList } from "./findings.js";
import { histogram } from "./histogram.js";
import { shapeOf } from "./shapes.js";
import { render } from "./value.js";
import { Flow, workflow } from "./workflow.js";

// Nothing stands on the page already.
const NOTHING = { table: () => null, findings: () => null, flow: () => null, any: () => null, has: () => false };

/**
 * The element for a value of a kind; null for any other value.
 *
 * @param name  what a file with it is called
 * @param stood what stands on the page already, as it was drawn while it arrived: {table(path, value), findings(path),
 *              flow(path), any(path)}, each gives it away, or null; has(path) says whether there is any
 * @param path  the steps from the run down to where the value is from
 */
export function drawKind(value, name, stood = NOTHING, path = []) {
  switch (shapeOf(value)) {
    case "table":
      return stood.table(path, value) ?? tableOf(value, name);
    case "columns":
      return tableOf({ ...value, rows: [] }, name);
    case "rows":
      return rowsOf(value, name);
    case "histogram":
      return histogram(value);
    case "finding": {
      const list = new FindingList();
      list.add(value);
      return list.element;
    }
    case "analysis":
      return analysis(value, stood.findings(path) ?? undefined);
    case "step": {
      const flow = new Flow();
      flow.add(value, resultsOf(stood, path));
      return flow.element;
    }
    case "workflow":
      return workflow(value, resultsOf(stood, path), stood.flow(path) ?? undefined);
    default:
      return null;
  }
}

/** The results of steps below those of `path`: draw(step), and stands(step), whether what it sent stands on the page. */
export function resultsOf(stood, path) {
  const draw = ({ id, result = null }) => {
    const below = [...path, id];
    if (result === null) return stood.any(below);
    return drawKind(result, id, stood, below) ?? render(result, { depth: 1, schema: {}, root: {} });
  };
  return { draw, stands: ({ id }) => stood.has([...path, id]) };
}

/** Rows without columns: those have no names. */
function rowsOf({ first, rows }, name) {
  const grown = growing([], name);
  grown.rows.next = Number(first);
  grown.rows.add(first, rows);
  grown.end();
  return grown.element;
}
