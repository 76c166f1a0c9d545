#!/usr/bin/env node
// Changes a schema, and asks before it does. Written from docs/approval-protocol.md: Node, no library.
import { writeFileSync, writeSync } from "node:fs";

const event = (fields) => writeSync(2, JSON.stringify(fields) + "\n");

const { AUTO_APPROVAL: answer, AUTO_APPROVAL_KEY: answered } = process.env;
// What is started from here on must not find the answer.
delete process.env.AUTO_APPROVAL;
delete process.env.AUTO_APPROVAL_KEY;

const statements = ["ALTER TABLE orders ADD COLUMN paid_at TEXT;", "DROP TABLE orders_old;"];

const question = {
  type: "approval_needed",
  protocol: 1,
  key: "schema-7",
  question: "Change the schema to version 7?",
  options: [
    { value: "all", label: "Change it", description: "Both statements." },
    { value: "add", label: "Only add", description: "Without DROP TABLE." },
    { value: "no", label: "Leave it" },
  ],
  default: "add",
  risk: "medium",
  preview: statements.join("\n"),
};

const counts = answered === undefined || answered === question.key;
const chosen = counts ? question.options.find(({ value }) => value === answer) : undefined;
if (chosen === undefined) {
  event(question);
  process.exit(90);
}

const beats = setInterval(() => event({ type: "heartbeat" }), 30_000);
const todo = { all: statements, add: statements.slice(0, 1), no: [] }[chosen.value];
todo.forEach((statement, index) => {
  writeFileSync("schema.sql", statement + "\n", { flag: "a" });
  event({ type: "progress", done: index + 1, of: todo.length });
});
clearInterval(beats);
