/** Tables and functions of a store in PostgreSQL (13 or newer), all under a prefix. */

/**
 * What is run once, and again by every process that opens the store: it changes nothing that is there.
 *
 * @param p prefix, checked by the caller: it goes into the text as it is
 */
export function schemaSql(p: string): string {
  return `
SELECT pg_advisory_xact_lock(hashtext('${p}store'));
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

CREATE OR REPLACE FUNCTION ${p}apply(process text, operations jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  op jsonb;
  done bigint;
  later boolean;
  old ${p}documents%ROWTYPE;
BEGIN
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
