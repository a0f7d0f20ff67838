/**
 * From a tool's JSON Schema (2020-12) to what a form must ask, and from what was typed to the call's params.
 * Pure: no DOM. What can not be asked in a simple control is asked as JSON. The server judges in the end: the checks
 * here only save a round trip, so what is not understood is let through.
 */

import { integer, parse } from "./exact.js";

const MAX_REFS = 16; // a longer chain of $ref is a circle
const LONG_TEXT = 500; // characters beyond which one line is too narrow
const MAX_GROUPS = 3; // objects inside of objects that are asked for field by field; deeper ones are JSON
const INPUT_TYPES = { email: "email", uri: "url", date: "date", password: "password" };

/** The fields of an object schema, or null when it is better written as JSON altogether. */
export function fieldsOf(schema) {
  const root = schema ?? {};
  if (root.properties === undefined) return root.additionalProperties === false ? [] : null;
  return members(root, root, 0);
}

function members(schema, root, depth) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties).map(([name, part]) => describe(name, part, root, required.has(name), depth));
}

/** The schema of an object's member; {} where it says nothing of it. */
export function memberOf(schema, key, root) {
  const { properties, additionalProperties } = found(schema, root);
  const part = Object.hasOwn(properties ?? {}, key) ? properties[key] : additionalProperties;
  return typeof part === "object" ? found(part, root) : {};
}

/** The schema of a list's items; {} where it says nothing of them. */
export function itemsOf(schema, root) {
  return found(found(schema, root).items, root);
}

const found = (part, root) => withoutNull(resolve(part, root), root).schema;

/** One parameter: {name, label, description, kind, required, nullable, default, …constraints}. */
export function describe(name, part, root, required, depth = 0) {
  const { schema, nullable } = withoutNull(resolve(part, root), root);
  const field = {
    name,
    label: titleOf(schema)?.toLowerCase() !== name.replaceAll("_", " ").toLowerCase() ? (titleOf(schema) ?? name) : name,
    description: schema.description ?? "",
    required,
    nullable,
    default: schema.default,
    schema,
  };
  return { ...field, ...kindOf(schema, root, field, depth) };
}

/** The title an author gave; undefined for none, and for the class's name that generators write in its place. */
export function titleOf({ title, type, enum: choices }) {
  const isClass = (type === "object" || choices !== undefined) && /^[A-Z][A-Za-z\d]*$/.test(title);
  return typeof title === "string" && title !== "" && !isClass ? title : undefined;
}

/** Follow local references; keys beside a $ref win over its target's. */
export function resolve(part, root, left = MAX_REFS) {
  let schema = part === true || part === undefined ? {} : part;
  if (typeof schema !== "object" || schema === null) return {};
  if (Array.isArray(schema.allOf) && schema.allOf.length === 1) {
    const { allOf, ...rest } = schema;
    schema = { ...resolve(allOf[0], root, left - 1), ...rest };
  }
  if (typeof schema.$ref !== "string") return schema;
  if (left <= 0) return {};
  const { $ref, ...rest } = schema;
  const target = $ref.startsWith("#/") ? pointer(root, $ref.slice(2)) : {};
  return { ...resolve(target, root, left - 1), ...rest };
}

function pointer(root, path) {
  const keys = path.split("/").map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~"));
  return keys.reduce((at, key) => (at !== null && typeof at === "object" && Object.hasOwn(at, key) ? at[key] : {}), root);
}

function withoutNull(schema, root) {
  if (Array.isArray(schema.type) && schema.type.includes("null")) {
    const types = schema.type.filter((type) => type !== "null");
    return { schema: { ...schema, type: types.length === 1 ? types[0] : types }, nullable: true };
  }
  const word = Array.isArray(schema.anyOf) ? "anyOf" : "oneOf";
  if (!Array.isArray(schema[word])) return { schema, nullable: schema.type === "null" };
  const options = schema[word].map((option) => resolve(option, root));
  const kept = options.filter((option) => option.type !== "null" && option.const !== null);
  const nullable = kept.length < options.length;
  const { [word]: dropped, ...rest } = schema;
  if (kept.length === 1) return { schema: { ...kept[0], ...rest }, nullable };
  return { schema: { ...rest, [word]: kept }, nullable };
}

function kindOf(schema, root, field, depth) {
  const choices = choicesOf(schema);
  if (choices !== null) return { kind: "choice", choices };
  if (schema.type === "boolean") {
    const plain = !field.nullable && (field.required || typeof field.default === "boolean");
    return plain ? { kind: "boolean" } : { kind: "choice", choices: [true, false] };
  }
  if (schema.type === "integer" || schema.type === "number") return { kind: schema.type };
  if (schema.type === "string") return textKind(schema);
  if (schema.type === "array" && schema.prefixItems === undefined) return arrayKind(schema, root);
  if (schema.properties !== undefined && Object.keys(schema.properties).length > 0 && depth < MAX_GROUPS) {
    return { kind: "group", fields: members(schema, root, depth + 1) };
  }
  return { kind: "json", template: template(schema, root) };
}

/** A value of the right shape to begin with: defaults, else what is empty of its type; undefined for no idea. */
export function template(part, root, left = MAX_GROUPS) {
  const schema = found(part, root);
  if (schema.default !== undefined && schema.default !== null) return schema.default;
  const choices = choicesOf(schema);
  if (choices !== null) return choices[0];
  if (schema.properties !== undefined && left > 0) {
    const entries = Object.entries(schema.properties).map(([name, inner]) => [name, template(inner, root, left - 1) ?? null]);
    return Object.fromEntries(entries);
  }
  if (schema.type === "array") {
    const one = schema.items === undefined || left === 0 ? undefined : template(schema.items, root, left - 1);
    return one !== null && typeof one === "object" ? [one] : [];
  }
  return { string: "", integer: schema.minimum ?? 0, number: schema.minimum ?? 0, boolean: false, object: {} }[schema.type];
}

/** Whether a parameter is nobody else's business: it is left out of the address and of what the page keeps. */
export function isSecret(field) {
  return field.inputType === "password" || field.schema.writeOnly === true || (field.fields ?? []).some(isSecret);
}

function textKind(schema) {
  const long = schema.maxLength > LONG_TEXT || String(schema.default ?? "").includes("\n") || schema.format === "textarea";
  return long ? { kind: "long" } : { kind: "text", inputType: INPUT_TYPES[schema.format] ?? "text" };
}

function arrayKind(schema, root) {
  const items = withoutNull(resolve(schema.items, root), root);
  const asJson = { kind: "json", template: template(schema, root) };
  if (items.nullable) return asJson;
  const choices = choicesOf(items.schema);
  if (choices !== null && schema.uniqueItems === true) return { kind: "choices", choices };
  return ["string", "integer", "number"].includes(items.schema.type) ? { kind: "lines", items: items.schema } : asJson;
}

function choicesOf(schema) {
  const isScalar = (value) => value !== null && typeof value !== "object";
  if (Array.isArray(schema.enum) && schema.enum.every(isScalar)) return schema.enum;
  if (Object.hasOwn(schema, "const") && isScalar(schema.const)) return [schema.const];
  const options = schema.anyOf ?? schema.oneOf;
  const constant = (option) => option !== null && typeof option === "object" && Object.hasOwn(option, "const");
  return Array.isArray(options) && options.length > 0 && options.every(constant) ? options.map((option) => option.const) : null;
}

/**
 * What was typed -> {value} or {omit: true}; throws Error with what is wrong, in words for the person who typed it.
 * raw: a string for text, long, integer, number, lines, json; a boolean for boolean; an index or "" for choice; a
 * list of indexes for choices.
 */
export function read(field, raw) {
  if (field.kind === "boolean") return { value: raw };
  if (field.kind === "choice") return raw === "" ? nothing(field) : { value: field.choices[Number(raw)] };
  if (field.kind === "choices") return counted(field, raw.map((index) => field.choices[Number(index)]));
  if (field.kind === "lines") return readLines(field, raw);
  if (raw.trim() === "" && !(raw !== "" && isText(field))) return nothing(field);
  if (isText(field)) return { value: checkText(field.schema, raw) };
  if (field.kind === "json") return { value: parseJson(raw) };
  return { value: checkNumber(field.schema, raw) };
}

const isText = (field) => field.kind === "text" || field.kind === "long";

/** An empty control: the default, null where null is meant, or a complaint. */
function nothing(field) {
  if (field.nullable) return field.required || (field.default ?? null) !== null ? { value: null } : { omit: true };
  if (field.required) throw new Error("Please fill this in.");
  return isText(field) && typeof field.default === "string" ? { value: checkText(field.schema, "") } : { omit: true };
}

function readLines(field, raw) {
  const lines = raw.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  if (lines.length === 0) return field.required || field.default?.length > 0 ? counted(field, []) : { omit: true };
  const one = (line) => (field.items.type === "string" ? checkText(field.items, line) : checkNumber(field.items, line));
  return counted(field, lines.map(one));
}

function counted(field, values) {
  const { minItems = 0, maxItems = Infinity, uniqueItems } = field.schema;
  if (values.length < minItems) throw new Error(`At least ${minItems}, please.`);
  if (values.length > maxItems) throw new Error(`At most ${maxItems}, please.`);
  if (uniqueItems === true && new Set(values).size < values.length) throw new Error("Each one only once, please.");
  return values.length === 0 && !field.required && field.default === undefined ? { omit: true } : { value: values };
}

function checkText(schema, text) {
  const length = [...text].length; // JSON Schema counts characters, not UTF-16 units (Validation, 6.3.1)
  if (length < schema.minLength) throw new Error(`At least ${schema.minLength} characters, please.`);
  if (length > schema.maxLength) throw new Error(`At most ${schema.maxLength} characters, please.`);
  if (schema.pattern !== undefined && !matches(schema.pattern, text)) throw new Error(`It must match ${schema.pattern}`);
  if (schema.enum !== undefined && !schema.enum.includes(text)) throw new Error(`One of: ${schema.enum.join(", ")}`);
  return text;
}

function matches(pattern, text) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true; // written for another engine's grammar: the server knows
  }
}

function checkNumber(schema, text) {
  if (text.trim() === "" || !Number.isFinite(Number(text))) throw new Error("A number, please.");
  const whole = integer(text); // a BigInt where a double would change it
  if (schema.type === "integer" && Number.isNaN(whole)) throw new Error("A whole number, please.");
  const number = Number.isNaN(whole) ? Number(text) : whole;
  if (number < schema.minimum) throw new Error(`At least ${schema.minimum}, please.`);
  if (number > schema.maximum) throw new Error(`At most ${schema.maximum}, please.`);
  if (number <= schema.exclusiveMinimum) throw new Error(`More than ${schema.exclusiveMinimum}, please.`);
  if (number >= schema.exclusiveMaximum) throw new Error(`Less than ${schema.exclusiveMaximum}, please.`);
  return number;
}

export function parseJson(text) {
  try {
    return parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}`);
  }
}

/** The params as JSON text must be an object. */
export function parseParams(text) {
  const params = text.trim() === "" ? {} : parseJson(text);
  if (params === null || typeof params !== "object" || Array.isArray(params)) throw new Error("An object, please: { … }");
  return params;
}
