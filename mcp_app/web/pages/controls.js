/** One control for one parameter, by its kind: {control, get, box?}. What a control is called and explained by. */

import { el, wrap } from "./element.js";
import { stringify } from "./exact.js";
import { number, sentence } from "./words.js";

export function control(field, given) {
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
  if (field.kind === "long") {
    input.value = given ?? "";
    input.placeholder = String(field.schema.examples?.[0] ?? "");
  }
  if (field.kind === "lines") input.value = Array.isArray(given) ? given.join("\n") : "";
  if (field.kind === "json") {
    input.value = given === undefined || given === null ? "" : stringify(given, 2);
    if (field.template !== undefined) input.placeholder = stringify(field.template, 2);
    input.rows = Math.min(12, Math.max(input.rows, input.placeholder.split("\n").length));
  }
  return { control: input, get: () => input.value };
}

export function checkboxes(field, id, given) {
  const box = el("fieldset");
  box.append(named("legend", field));
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

export function named(tag, field) {
  const label = el(tag, "", field.label);
  label.append(" ", el("span", "tag", field.required ? "required" : "optional"));
  return label;
}

/** What is to be known of a field: what its author says, then how it is written and within what bounds. */
export function hintOf(field) {
  const { minimum, maximum } = field.schema;
  const parts = [sentence(field.description)];
  if (field.kind === "lines") parts.push("One per line.");
  if (field.kind === "json") parts.push("As JSON.");
  if (field.kind === "group" && !field.required) parts.push("Left out, if nothing here is changed.");
  if (minimum !== undefined && maximum !== undefined) parts.push(`From ${number(minimum)} to ${number(maximum)}.`);
  else if (minimum !== undefined) parts.push(`At least ${number(minimum)}.`);
  else if (maximum !== undefined) parts.push(`At most ${number(maximum)}.`);
  return parts.filter((part) => part !== "").join(" ");
}
