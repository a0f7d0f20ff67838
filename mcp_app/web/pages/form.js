/** The parameters' controls: built from fields, read back as params, with what is wrong said beside each. */

import { fieldsOf, parseParams, read } from "./schema.js";
import { el } from "./value.js";

export class ParamsForm {
  constructor(container, onChange) {
    this.container = container;
    this.onChange = onChange;
    this.fields = [];
    this.asJson = false;
    this.rows = new Map(); // name -> {field, control, problem, get}
    container.addEventListener("input", () => onChange());
  }

  /** Ask for this tool's parameters. As JSON when `asJson`, or when its schema has no simple form. */
  show(schema, asJson, params = null) {
    const fields = fieldsOf(schema);
    this.fields = fields ?? [];
    this.forced = fields === null;
    this.asJson = asJson || this.forced;
    this.rows.clear();
    this.container.replaceChildren();
    if (this.asJson) {
      this.addWhole(params ?? defaults(this.fields));
      return;
    }
    if (this.fields.length === 0) this.container.append(el("p", "hint", "This tool takes no parameters."));
    for (const field of this.fields) this.add(field, params);
  }

  /** The names whose value survives being written as text in a query. */
  plainNames() {
    return new Set(this.fields.filter((field) => field.kind !== "json").map((field) => field.name));
  }

  /** Read everything. Returns the params, or null after having marked what is wrong. */
  params() {
    const { params, wrong } = this.collect();
    for (const row of this.rows.values()) mark(row, wrong.get(row) ?? "");
    const [first] = wrong.keys();
    first?.control.focus();
    return wrong.size === 0 ? params : null;
  }

  /** What is there and right so far, without a word about the rest. */
  draft() {
    return this.collect().params;
  }

  collect() {
    const entries = [];
    const wrong = new Map();
    for (const [name, row] of this.rows) {
      try {
        if (this.asJson) return { params: parseParams(row.get()), wrong };
        const answer = read(row.field, row.get());
        if (!answer.omit) entries.push([name, answer.value]);
      } catch (error) {
        wrong.set(row, error.message);
      }
    }
    return { params: Object.fromEntries(entries), wrong };
  }

  /** Put the server's complaints beside their fields. Returns those that belong to none. */
  complain(details) {
    const homeless = [];
    const said = new Map(); // row -> what is wrong with it
    for (const { field, problem } of details) {
      const name = String(field ?? "").replace(/^params\./, "");
      const row = this.asJson ? this.rows.get("") : (this.rows.get(name) ?? this.rows.get(name.split(".")[0]));
      if (row === undefined) homeless.push({ field, problem });
      else said.set(row, [...(said.get(row) ?? []), row.field?.name === name ? problem : `${name}: ${problem}`]);
    }
    for (const [row, problems] of said) mark(row, problems.join("; "));
    const [first] = said.keys();
    first?.control.focus();
    return homeless;
  }

  add(field, params) {
    const id = `param-${this.rows.size}`;
    const given = params !== null && Object.hasOwn(params, field.name) ? params[field.name] : field.default;
    const made = field.kind === "choices" ? checkboxes(field, id, given) : control(field, given);
    const problem = el("p", "problem");
    problem.id = `${id}-problem`;
    problem.hidden = true;
    const hint = el("p", "hint", hintOf(field));
    hint.id = `${id}-hint`;
    hint.hidden = hint.textContent === "";
    made.control.setAttribute("aria-describedby", `${hint.id} ${problem.id}`);
    const box = el("div", "field");
    box.dataset.name = field.name;
    if (field.kind === "choices") {
      made.box.setAttribute("aria-describedby", `${hint.id} ${problem.id}`);
      made.box.append(hint, problem);
      box.append(made.box);
    } else {
      made.control.id = id;
      const label = labelOf("label", field);
      label.htmlFor = id;
      if (field.required) made.control.required = true;
      if (field.kind === "boolean") box.append(wrap("check", made.control, label), hint, problem);
      else box.append(label, hint, made.control, problem);
    }
    this.container.append(box);
    this.rows.set(field.name, { field, control: made.control, problem, get: made.get });
  }

  addWhole(params) {
    const area = el("textarea", "code");
    area.id = "param-whole";
    area.rows = 8;
    area.spellcheck = false;
    area.value = JSON.stringify(params, null, 2);
    const label = el("label", "", "Parameters, as JSON");
    label.htmlFor = area.id;
    const problem = el("p", "problem");
    problem.id = "param-whole-problem";
    problem.hidden = true;
    area.setAttribute("aria-describedby", problem.id);
    this.container.append(wrap("field", label, area, problem));
    this.rows.set("", { control: area, problem, get: () => area.value });
  }
}

/** Say, or take back, what is wrong with a control. */
export function mark(row, text) {
  row.problem.textContent = text;
  row.problem.hidden = text === "";
  if (text === "") row.control.removeAttribute("aria-invalid");
  else row.control.setAttribute("aria-invalid", "true");
}

function defaults(fields) {
  const kept = fields.filter((field) => field.required || field.default !== undefined);
  return Object.fromEntries(kept.map((field) => [field.name, field.default ?? (field.kind === "text" ? "" : null)]));
}

function labelOf(tag, field) {
  const label = el(tag, "", field.label);
  label.append(" ", el("span", "tag", field.required ? "required" : "optional"));
  return label;
}

function control(field, given) {
  if (field.kind === "boolean") {
    const input = el("input");
    input.type = "checkbox";
    input.checked = given === true;
    return { control: input, get: () => input.checked };
  }
  if (field.kind === "choice") return select(field, given);
  if (["long", "lines", "json"].includes(field.kind)) return area(field, given);
  const input = el("input");
  const numeric = field.kind === "integer" || field.kind === "number";
  input.type = numeric ? "number" : field.inputType;
  input.autocomplete = "off";
  input.spellcheck = false;
  input.autocapitalize = "none";
  if (numeric) {
    input.step = field.kind === "integer" ? "1" : "any";
    input.inputMode = field.kind === "integer" ? "numeric" : "decimal";
    if (field.schema.minimum !== undefined) input.min = field.schema.minimum;
    if (field.schema.maximum !== undefined) input.max = field.schema.maximum;
  }
  const example = field.schema.examples?.[0];
  if (example !== undefined) input.placeholder = String(example);
  input.value = given ?? "";
  // A number input hides text it can not read behind an empty value.
  return { control: input, get: () => (input.validity.badInput ? "?" : input.value) };
}

function select(field, given) {
  const input = el("select");
  const chosen = field.choices.indexOf(given);
  if (chosen < 0 || field.nullable || !field.required) {
    const none = el("option", "", field.required && !field.nullable ? "Choose…" : "Not set");
    none.value = "";
    input.append(none);
  }
  field.choices.forEach((choice, index) => {
    const option = el("option", "", String(choice));
    option.value = String(index);
    input.append(option);
  });
  input.value = chosen < 0 ? "" : String(chosen);
  return { control: input, get: () => input.value };
}

function area(field, given) {
  const input = el("textarea", field.kind === "json" ? "code" : "");
  input.rows = field.kind === "json" ? 5 : 3;
  input.spellcheck = false;
  if (field.kind === "long") input.value = given ?? "";
  if (field.kind === "lines") input.value = Array.isArray(given) ? given.join("\n") : "";
  if (field.kind === "json") input.value = given === undefined || given === null ? "" : JSON.stringify(given, null, 2);
  return { control: input, get: () => input.value };
}

function checkboxes(field, id, given) {
  const box = el("fieldset");
  box.append(labelOf("legend", field));
  const inputs = field.choices.map((choice, index) => {
    const input = el("input");
    input.type = "checkbox";
    input.id = `${id}-${index}`;
    input.value = String(index);
    input.checked = Array.isArray(given) && given.includes(choice);
    const label = el("label", "", String(choice));
    label.htmlFor = input.id;
    box.append(wrap("check", input, label));
    return input;
  });
  return { box, control: inputs[0], get: () => inputs.filter((input) => input.checked).map((input) => input.value) };
}

function hintOf(field) {
  const { minimum, maximum } = field.schema;
  const parts = [field.description];
  if (field.kind === "lines") parts.push("One per line.");
  if (field.kind === "json") parts.push("As JSON.");
  if (minimum !== undefined && maximum !== undefined) parts.push(`From ${minimum} to ${maximum}.`);
  else if (minimum !== undefined) parts.push(`At least ${minimum}.`);
  else if (maximum !== undefined) parts.push(`At most ${maximum}.`);
  return parts.filter((part) => part !== "").join(" ");
}

function wrap(className, ...children) {
  const box = el("div", className);
  box.append(...children);
  return box;
}
