/** Of what is written here; a file of another form is made anew. */
export const FORM = 6

export const TABLES = ['positions', 'letters', 'standings', 'groups', 'meta'] as const

/** How many letters of a group are in a state is counted as they come and change: a million are too many to count when asked. */
export const SCHEMA: string = `
CREATE TABLE positions (what TEXT PRIMARY KEY, stream TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE letters (seq INTEGER PRIMARY KEY, subject TEXT NOT NULL, at TEXT NOT NULL, service TEXT, handler TEXT, code TEXT NOT NULL,
  error_class TEXT, grp TEXT NOT NULL, grp_reason TEXT NOT NULL, event_id TEXT, event_key TEXT, letter TEXT NOT NULL, kind TEXT NOT NULL,
  state TEXT NOT NULL, record_seq INTEGER NOT NULL, edit_seq INTEGER NOT NULL, is_gone INTEGER NOT NULL, run TEXT, redrives INTEGER NOT NULL);
CREATE UNIQUE INDEX letters_by_subject ON letters (subject);
CREATE INDEX letters_by_group ON letters (grp, seq);
CREATE INDEX letters_by_handler ON letters (service, handler, seq);
CREATE INDEX letters_by_id ON letters (event_id);
CREATE INDEX letters_by_key ON letters (event_key);
CREATE INDEX letters_by_at ON letters (at, grp, state, kind);
CREATE INDEX letters_by_state ON letters (state, seq);
CREATE TABLE standings (subject TEXT PRIMARY KEY, state TEXT NOT NULL, record_seq INTEGER NOT NULL, edit_seq INTEGER NOT NULL, is_gone INTEGER NOT NULL, run TEXT,
  redrives INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE groups (grp TEXT NOT NULL, state TEXT NOT NULL, kind TEXT NOT NULL, service TEXT, handler TEXT, code TEXT NOT NULL,
  error_class TEXT, grp_reason TEXT NOT NULL, letters INTEGER NOT NULL, first_at TEXT NOT NULL, last_at TEXT NOT NULL,
  PRIMARY KEY (grp, state, kind)) WITHOUT ROWID;
${counting('letter_added', 'AFTER INSERT ON letters')}
${counting('letter_moved', 'AFTER UPDATE OF state ON letters WHEN old.state <> new.state')}
${discounting('letter_left', 'AFTER UPDATE OF state ON letters WHEN old.state <> new.state')}
${discounting('letter_removed', 'AFTER DELETE ON letters')}
`

function counting(name: string, when: string): string {
  return `CREATE TRIGGER ${name} ${when} BEGIN
    INSERT INTO groups VALUES (new.grp, new.state, new.kind, new.service, new.handler, new.code, new.error_class, new.grp_reason, 1, new.at, new.at)
    ON CONFLICT DO UPDATE SET letters = letters + 1, first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
  END;`
}

function discounting(name: string, when: string): string {
  return `CREATE TRIGGER ${name} ${when} BEGIN
    UPDATE groups SET letters = letters - 1 WHERE grp = old.grp AND state = old.state AND kind = old.kind;
    DELETE FROM groups WHERE grp = old.grp AND state = old.state AND kind = old.kind AND letters = 0;
  END;`
}
