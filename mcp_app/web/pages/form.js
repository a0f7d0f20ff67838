/** The parameters' controls: built from fields, read back as params, with what is wrong said beside each. */

import { checkboxes, control, hintOf, named } from "./controls.js";
import { el, wrap } from "./element.js";
import { stringify } from "./exact.js";
import { fieldsOf, isSecret, parseParams, read } from "./schema.js";

export class ParamsForm {
  constructor(container, onChange) {
    this.container = container;
    this.onChange = onChange;
    this.fields = [];
    this.asJson = false;
    this.rows = new Map(); // path, such as "address.city" -> {field, control, problem, get, initial}
    this.given = new Set(); // the paths of objects that were given, so that they are sent even if nobody changes them
    container.addEventListener("input", () => onChange());
  }

  /** Ask for this tool's parameters. As JSON when `asJson`, or when its schema has no simple form. */
  show(schema, asJson, params = null) {
    const fields = fieldsOf(schema);
    this.fields = fields ?? [];
    this.forced = fields === null;
    this.asJson = asJson || this.forced;
    this.rows.clear();
    this.given.clear();
    this.container.replaceChildren();
    if (this.asJson) {
      this.addWhole(params ?? defaults(this.fields));
      return;
    }
    if (this.fields.length === 0) this.container.append(el("p", "hint", "This tool takes no parameters."));
    for (const field of this.fields) this.add(this.container, field, params, "");
  }

  /** The names whose value survives being written as text in a query. */
  plainNames() {
    return new Set(this.fields.filter((field) => !["json", "group"].includes(field.kind)).map((field) => field.name));
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

  /** What may be kept: the params without those that are secret. */
  shareable(params) {
    const secret = new Set(this.fields.filter(isSecret).map((field) => field.name));
    return Object.fromEntries(Object.entries(params).filter(([name]) => !secret.has(name)));
  }

  collect() {
    const wrong = new Map();
    if (!this.asJson) return { params: this.members(this.fields, "", wrong), wrong };
    const row = this.rows.get("");
    try {
      return { params: parseParams(row.get()), wrong };
    } catch (error) {
      wrong.set(row, error.message);
      return { params: {}, wrong };
    }
  }

  members(fields, prefix, wrong) {
    const entries = [];
    for (const field of fields) {
      const path = prefix + field.name;
      if (field.kind === "group") {
        const inside = new Map();
        const value = this.members(field.fields, `${path}.`, inside);
        if (!field.required && !this.given.has(path) && !this.isTouched(path)) continue;
        for (const [row, problem] of inside) wrong.set(row, problem);
        entries.push([field.name, value]);
        continue;
      }
      const row = this.rows.get(path);
      try {
        const answer = read(field, row.get());
        if (!answer.omit) entries.push([field.name, answer.value]);
      } catch (error) {
        wrong.set(row, error.message);
      }
    }
    return Object.fromEntries(entries);
  }

  isTouched(path) {
    return [...this.rows].some(([name, row]) => name.startsWith(`${path}.`) && String(row.get()) !== row.initial);
  }

  /** Put the server's complaints beside their fields. Returns those that belong to none. */
  complain(details) {
    const homeless = [];
    const said = new Map(); // row -> what is wrong with it
    for (const { field, problem } of details) {
      const name = String(field ?? "").replace(/^params\./, "");
      const path = this.asJson ? "" : this.nearest(name);
      if (path === undefined || (path === "" && !this.asJson)) homeless.push({ field, problem });
      else said.set(this.rows.get(path), [...(said.get(this.rows.get(path)) ?? []), path === name ? problem : `${name}: ${problem}`]);
    }
    for (const [row, problems] of said) mark(row, problems.join("; "));
    const [first] = said.keys();
    first?.control.focus();
    return homeless;
  }

  /** The row that a name is of: its own, that of the value it is inside of, or the first inside of it. */
  nearest(name) {
    const parts = name.split(".");
    const outer = parts.map((_, index) => parts.slice(0, parts.length - index).join("."));
    return outer.find((path) => this.rows.has(path)) ?? [...this.rows.keys()].find((path) => path.startsWith(`${name}.`));
  }

  add(container, field, params, prefix) {
    const path = prefix + field.name;
    const isGiven = params !== null && Object.hasOwn(params, field.name);
    const given = isGiven ? params[field.name] : field.default;
    const id = `param-${this.rows.size}`;
    const hint = el("p", "hint", hintOf(field));
    hint.hidden = hint.textContent === "";
    if (field.kind === "group") {
      this.addGroup(container, field, given, path, hint, isGiven);
      return;
    }
    const made = field.kind === "choices" ? checkboxes(field, id, given) : control(field, given);
    const problem = el("p", "problem");
    problem.id = `${id}-problem`;
    problem.hidden = true;
    hint.id = `${id}-hint`;
    made.control.setAttribute("aria-describedby", `${hint.id} ${problem.id}`);
    const box = el("div", "field");
    box.dataset.name = field.name;
    if (field.kind === "choices") {
      made.box.setAttribute("aria-describedby", `${hint.id} ${problem.id}`);
      made.box.append(hint, problem);
      box.append(made.box);
    } else {
      made.control.id = id;
      const label = named("label", field);
      label.htmlFor = id;
      if (field.required) made.control.required = true;
      if (field.kind === "boolean") box.append(wrap("check", made.control, label), hint, problem);
      else box.append(label, hint, made.control, problem);
    }
    container.append(box);
    this.rows.set(path, { field, control: made.control, problem, get: made.get, initial: String(made.get()) });
  }

  addGroup(container, field, given, path, hint, isGiven) {
    const box = el("fieldset", "group");
    box.dataset.name = field.name;
    box.append(named("legend", field), hint);
    const values = given !== null && typeof given === "object" ? given : null;
    if (isGiven && values !== null) this.given.add(path);
    for (const inner of field.fields) this.add(box, inner, values, `${path}.`);
    container.append(box);
  }

  addWhole(params) {
    const area = el("textarea", "code");
    area.id = "param-whole";
    area.rows = 8;
    area.spellcheck = false;
    area.value = stringify(params, 2);
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
  return Object.fromEntries(kept.map((field) => [field.name, field.default ?? blank(field)]));
}

function blank(field) {
  if (field.kind === "group") return defaults(field.fields);
  return field.kind === "text" ? "" : null;
}
