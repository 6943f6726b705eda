CREATE TABLE messages (
    id                bigserial PRIMARY KEY,
    thread_id         text NOT NULL,
    sender_id         text NOT NULL,
    client_message_id text NOT NULL,
    content           text NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX messages_of_thread ON messages (thread_id, id);
