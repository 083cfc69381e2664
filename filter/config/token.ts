import { NONE } from "../bytes/rows";
import { ABSENT, Name, View, byteAt, lengthOf, literal, nameInPlace, viewOf } from "../bytes/view";
import { Tables } from "../tables/tables";
import {
  CONSUMER_CLAIM,
  MAX_AUDIENCES,
  MAX_ISSUERS,
  MAX_ISSUER_BYTES,
  MAX_NAME_BYTES,
  MAX_SUBJECT_BYTES,
} from "./contract";
import { Reader } from "./reader";
import { readName } from "./rule";
import * as Field from "./field";

/** `[{"name": "corp", "issuer": "https://idp.example.com", "audiences": ["shop"], "plan": "plan", "scopes": "scope"}]` */
export function decodeTokens(reader: Reader, tables: Tables): void {
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_ISSUERS) reader.fail(literal("at most %d issuers of tokens"), MAX_ISSUERS);
    decodeIssuer(reader, tables);
  }
}

function decodeIssuer(reader: Reader, tables: Tables): void {
  let name = ABSENT;
  let issuer = ABSENT;
  const record = tables.tokens.issuers.add();
  record.consumerClaim = CONSUMER_CLAIM;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.NAME, 0)) {
      name = readName(reader);
      if (!reader.failed && tables.tokens.named(name) != NONE) reader.fail(literal("a second token named %q"), name);
    } else if (reader.takes(Field.ISSUER, 1)) {
      issuer = readVisible(reader, MAX_ISSUER_BYTES);
      if (!reader.failed && tables.tokens.issuing(issuer) != NONE)
        reader.fail(literal("a second token of issuer %q"), issuer);
    } else if (reader.takes(Field.AUDIENCES, 2)) {
      record.firstAudience = tables.values.count;
      record.audienceCount = decodeAudiences(reader, tables);
    } else if (reader.takes(Field.CONSUMER, 3)) {
      record.consumerClaim = readClaim(reader, tables);
    } else if (reader.takes(Field.PLAN, 4)) {
      record.planClaim = readClaim(reader, tables);
    } else if (reader.takes(Field.SCOPES, 5)) {
      record.scopesClaim = readClaim(reader, tables);
    } else if (reader.takes(Field.FORWARD, 6)) {
      record.forwards = reader.boolean();
    } else reader.unknownField();
  }
  reader.needs(0, Field.NAME);
  reader.needs(1, Field.ISSUER);
  record.name = tables.texts.keep(name);
  record.issuer = tables.texts.keep(issuer);
}

function decodeAudiences(reader: Reader, tables: Tables): i32 {
  let count = 0;
  reader.beginArray();
  for (; reader.nextItem(count); count++) {
    if (count == MAX_AUDIENCES) reader.fail(literal("at most %d audiences"), MAX_AUDIENCES);
    tables.values.add().value = tables.texts.keep(readVisible(reader, MAX_NAME_BYTES));
  }
  if (count == 0) reader.fail(literal("needs an audience; leave the field out for any"));
  return count;
}

function readClaim(reader: Reader, tables: Tables): View {
  return tables.texts.keep(readVisible(reader, MAX_NAME_BYTES));
}

/**
 * What claims hold and how they are called, as far as a policy may name it: visible ASCII, so that it is one word in a log. Nor may it hold
 * quotation marks or backslashes, which would end a string in a header.
 */
function readVisible(reader: Reader, most: i32): View {
  const text = reader.text(1, most);
  for (let i = 0, n = lengthOf(text); i < n; i++) {
    const byte = byteAt(text, i);
    if (<u32>byte - 0x21 > 0x7e - 0x21 || byte == 0x22 || byte == 0x5c) {
      reader.fail(literal("must hold only visible ASCII characters without quotation marks and backslashes"));
      break;
    }
  }
  return text;
}

/** `[{"issuer": "corp", "subjects": ["8d7f3a"]}]` */
export function decodeSubjects(reader: Reader, tables: Tables, consumer: i32): void {
  reader.beginArray();
  for (let i = 0; reader.nextItem(i); i++) {
    if (i == MAX_ISSUERS) reader.fail(literal("at most %d issuers of tokens"), MAX_ISSUERS);
    decodeSubjectsOfIssuer(reader, tables, consumer);
  }
}

function decodeSubjectsOfIssuer(reader: Reader, tables: Tables, consumer: i32): void {
  const subjects = tables.tokens.subjects;
  const first = subjects.count;
  let issuer: Name = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.ISSUER, 0)) {
      issuer = nameInPlace(readName(reader));
    } else if (reader.takes(Field.SUBJECTS, 1)) {
      reader.beginArray();
      for (let i = 0; reader.nextItem(i); i++) {
        const subject = subjects.add();
        subject.consumer = consumer;
        subject.nameText = tables.texts.keepName(readVisible(reader, MAX_SUBJECT_BYTES));
      }
      if (subjects.count == first) reader.fail(literal("needs a subject"));
    } else reader.unknownField();
  }
  reader.needs(0, Field.ISSUER);
  reader.needs(1, Field.SUBJECTS);
  for (let i = first; i < subjects.count; i++) subjects.at(i).issuer = issuer;
}

/** Resolves issuers, and refuses two consumers of one subject; to be called once all are read. */
export function linkSubjects(reader: Reader, tables: Tables): void {
  const tokens = tables.tokens;
  for (let i = 0; i < tokens.subjects.count; i++) {
    const subject = tokens.subjects.at(i);
    const name = viewOf(subject.issuer);
    subject.issuer = tokens.named(name);
    if (subject.issuer == NONE)
      return reader.fail(
        literal("consumer %q: tokens: no token named %q"),
        tables.consumers.at(subject.consumer).name,
        name,
      );
  }
  const number = tokens.build();
  if (number == NONE) return;
  const subject = tokens.subjects.at(number);
  reader.fail(
    literal("subject %q of consumer %q is one of consumer %q already"),
    subject.name,
    tables.consumers.at(subject.consumer).name,
    tables.consumers.at(tokens.subjects.at(tokens.twin).consumer).name,
  );
}
