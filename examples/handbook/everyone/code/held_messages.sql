-- Messages that wait for the end of a contact's quiet hours (QH-202).
CREATE TABLE held_messages (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contact_id  text        NOT NULL,
    severity    text        NOT NULL CHECK (severity IN ('info', 'warning')),
    body        text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    deliver_at  timestamptz NOT NULL
);

CREATE INDEX held_messages_due ON held_messages (deliver_at, contact_id);

-- One row for each contact whose quiet hours have ended; the router sends one summary for it.
CREATE VIEW due_summaries AS
SELECT contact_id, count(*) AS messages, min(created_at) AS oldest
FROM held_messages
WHERE deliver_at <= now()
GROUP BY contact_id;

-- A held message that nobody fetched for 48 hours is deleted: its summary has failed and support was called.
CREATE FUNCTION drop_stale_messages() RETURNS void LANGUAGE sql AS $$
    DELETE FROM held_messages WHERE deliver_at < now() - interval '48 hours';
$$;
