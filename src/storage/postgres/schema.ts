/**
 * Tables and functions of a store in PostgreSQL (13 or newer): `<prefix>meta`, and for each schema version its own
 * below `<prefix>v<version>_`. Prefixes are checked by the caller; they go into the text as they are.
 */
import { MIGRATED } from "../serverCall.js";

/** What begins the names of one version. */
export function versionPrefix(prefix: string, version: number): string {
  return `${prefix}v${version}_`;
}

/** The number that writers lock together and a migration alone. */
const lockOf = (prefix: string) => `hashtext('${prefix}store')`;

/** Which version the store has. Run by every process that opens it; changes nothing that is there. */
export function metaSql(prefix: string, version: number): string {
  return `
SELECT pg_advisory_xact_lock(${lockOf(prefix)});
CREATE TABLE IF NOT EXISTS ${prefix}meta (key text PRIMARY KEY, value text NOT NULL);

-- Notes the version when none is, reserves the migration when an older one is; what was noted, or "busy".
CREATE OR REPLACE FUNCTION ${versionPrefix(prefix, version)}begin(seconds integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
  -- Waits for writes under way, which hold it together.
  PERFORM pg_advisory_xact_lock(${lockOf(prefix)});
  INSERT INTO ${prefix}meta VALUES ('schemaVersion', '${version}') ON CONFLICT DO NOTHING;
  SELECT value INTO found FROM ${prefix}meta WHERE key = 'schemaVersion';
  IF found::integer >= ${version} THEN RETURN found; END IF;
  IF EXISTS (SELECT FROM ${prefix}meta WHERE key = 'migrating' AND value::timestamptz > now()) THEN RETURN 'busy'; END IF;
  INSERT INTO ${prefix}meta VALUES ('migrating', (now() + seconds * interval '1 second')::text)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value;
  RETURN found;
END
$$;
`;
}

/** The data of one version. Its functions stay: they tell old programs that the store was carried over. */
export function dropSql(prefix: string, version: number): string {
  const p = versionPrefix(prefix, version);
  return `DROP TABLE IF EXISTS ${p}documents, ${p}writers, ${p}requests`;
}

/** Tables and functions of one version. Run by every process that opens it; changes nothing that is there. */
export function schemaSql(prefix: string, version: number): string {
  const p = versionPrefix(prefix, version);
  return `
SELECT pg_advisory_xact_lock(${lockOf(prefix)});
CREATE TABLE IF NOT EXISTS ${p}documents (
  kind text NOT NULL,
  id text NOT NULL,
  schema_version integer NOT NULL,
  created_at text NOT NULL,
  updated_at text NOT NULL,
  fields jsonb NOT NULL,   -- JSON text by field name
  counts jsonb NOT NULL,   -- number or list of numbers by path
  removed_at timestamptz,
  writer text NOT NULL,
  tx xid8 NOT NULL,        -- transaction of the last change: what others have not read yet
  PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS ${p}documents_tx ON ${p}documents (tx);
CREATE TABLE IF NOT EXISTS ${p}writers (id text PRIMARY KEY, sequence bigint NOT NULL, seen_at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS ${p}requests (
  number bigserial,
  id text PRIMARY KEY,
  at timestamptz NOT NULL,
  model text NOT NULL,
  template_id text,
  record text NOT NULL
);
CREATE INDEX IF NOT EXISTS ${p}requests_at ON ${p}requests (at, number);

CREATE OR REPLACE FUNCTION ${p}add_lists(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(jsonb_agg(coalesce(x, '0')::float8 + coalesce(y, '0')::float8 ORDER BY n), '[]')
  FROM ROWS FROM (jsonb_array_elements_text(a), jsonb_array_elements_text(b)) WITH ORDINALITY AS pair (x, y, n)
$$;

CREATE OR REPLACE FUNCTION ${p}add_counts(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT a || coalesce(jsonb_object_agg(key, CASE
    WHEN NOT a ? key THEN value
    WHEN jsonb_typeof(a -> key) <> jsonb_typeof(value) THEN a -> key
    WHEN jsonb_typeof(value) = 'number' THEN to_jsonb((a ->> key)::float8 + (value #>> '{}')::float8)
    WHEN jsonb_typeof(value) = 'array' THEN ${p}add_lists(a -> key, value)
    ELSE a -> key END), '{}')
  FROM jsonb_each(b)
$$;

-- Refuses to write when the store has another version by now; a migration itself does not ask.
CREATE OR REPLACE FUNCTION ${p}check(is_migration boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF is_migration THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock_shared(${lockOf(prefix)});
  IF EXISTS (SELECT FROM ${prefix}meta WHERE key = 'schemaVersion' AND value <> '${version}'
      OR key = 'migrating' AND value::timestamptz > now()) THEN
    RAISE EXCEPTION '${MIGRATED}';
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION ${p}append(is_migration boolean, requests jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ${p}check(is_migration);
  INSERT INTO ${p}requests (id, at, model, template_id, record)
    SELECT t.id, t.at, t.model, t.template_id, t.record FROM jsonb_to_recordset(requests)
      AS t (id text, at timestamptz, model text, template_id text, record text)
    ON CONFLICT DO NOTHING;
END
$$;

CREATE OR REPLACE FUNCTION ${p}apply(is_migration boolean, process text, operations jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  op jsonb;
  done bigint;
  later boolean;
  old record;
BEGIN
  PERFORM ${p}check(is_migration);
  INSERT INTO ${p}writers VALUES (process, 0, now()) ON CONFLICT (id) DO UPDATE SET seen_at = now()
    RETURNING sequence INTO done;
  -- Always in this order, so that two batches rarely wait for each other.
  PERFORM 1 FROM ${p}documents WHERE (kind, id) IN
    (SELECT value ->> 'kind', value ->> 'id' FROM jsonb_array_elements(operations)) ORDER BY kind, id FOR UPDATE;
  FOR op IN SELECT value FROM jsonb_array_elements(operations) LOOP
    CONTINUE WHEN (op ->> 'sequence')::bigint <= done;
    done := (op ->> 'sequence')::bigint;
    IF op ->> 'type' = 'remove' THEN
      UPDATE ${p}documents SET removed_at = now(), fields = '{}', counts = '{}', writer = process, tx = pg_current_xact_id()
        WHERE kind = op ->> 'kind' AND id = op ->> 'id' AND removed_at IS NULL;
      CONTINUE;
    END IF;
    IF op ->> 'createdAt' IS NOT NULL THEN
      INSERT INTO ${p}documents VALUES (op ->> 'kind', op ->> 'id', (op ->> 'schemaVersion')::integer,
          op ->> 'createdAt', op ->> 'updatedAt', op -> 'fields', op -> 'counts', NULL, process, pg_current_xact_id())
        ON CONFLICT (kind, id) DO UPDATE SET schema_version = excluded.schema_version,
          created_at = excluded.created_at, updated_at = excluded.updated_at, fields = excluded.fields,
          counts = excluded.counts, removed_at = NULL, writer = excluded.writer, tx = excluded.tx
          WHERE ${p}documents.removed_at IS NOT NULL;
      CONTINUE WHEN FOUND;
    END IF;
    CONTINUE WHEN op ->> 'type' = 'create';
    SELECT * INTO old FROM ${p}documents
      WHERE kind = op ->> 'kind' AND id = op ->> 'id' AND removed_at IS NULL FOR UPDATE;
    CONTINUE WHEN NOT FOUND;
    later := (op ->> 'updatedAt') COLLATE "C" >= old.updated_at;
    UPDATE ${p}documents SET
      schema_version = CASE WHEN later THEN (op ->> 'schemaVersion')::integer ELSE old.schema_version END,
      updated_at = CASE WHEN later THEN op ->> 'updatedAt' ELSE old.updated_at END,
      created_at = least((op ->> 'createdAt') COLLATE "C", old.created_at),
      fields = CASE WHEN later THEN old.fields || (op -> 'fields') ELSE (op -> 'fields') || old.fields END,
      counts = ${p}add_counts(old.counts, op -> 'counts'),
      writer = process, tx = pg_current_xact_id()
      WHERE kind = old.kind AND id = old.id;
  END LOOP;
  UPDATE ${p}writers SET sequence = done WHERE id = process;
END
$$;
`;
}
