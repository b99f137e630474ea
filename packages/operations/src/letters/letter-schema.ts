/** Of what is written here; a file of another form is made anew. */
export const FORM = 7

export const VIEWS = ['listed', 'grouped'] as const
export const TABLES = ['positions', 'letters', 'states', 'standings', 'reasons', 'groups', 'meta'] as const

/**
 * What a letter says never changes and is long; how it stands, and what most questions are about, is short and in a table of its
 * own: a change of a row writes its whole page, and that has few of the long ones. What letters of a group have in common stands once.
 * How many of a group are in a state is counted as they come and change: a million are too many to count when asked.
 */
export const SCHEMA: string = `
CREATE TABLE positions (what TEXT PRIMARY KEY, stream TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE letters (seq INTEGER PRIMARY KEY, subject TEXT NOT NULL, event_id TEXT, event_key TEXT, letter TEXT NOT NULL);
CREATE UNIQUE INDEX letters_by_subject ON letters (subject);
CREATE INDEX letters_by_id ON letters (event_id);
CREATE INDEX letters_by_key ON letters (event_key);
CREATE TABLE states (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, service TEXT, handler TEXT, code TEXT NOT NULL, grp TEXT NOT NULL, kind TEXT NOT NULL, payload_bytes INTEGER NOT NULL,
  state TEXT NOT NULL, record_seq INTEGER NOT NULL, edit_seq INTEGER NOT NULL, is_gone INTEGER NOT NULL, run TEXT, redrives INTEGER NOT NULL);
CREATE INDEX states_by_group ON states (grp, seq);
CREATE INDEX states_by_handler ON states (service, handler, seq);
CREATE INDEX states_by_at ON states (at, grp, state, kind);
CREATE INDEX states_by_state ON states (state, seq);
CREATE TABLE standings (subject TEXT PRIMARY KEY, state TEXT NOT NULL, record_seq INTEGER NOT NULL, edit_seq INTEGER NOT NULL, is_gone INTEGER NOT NULL, run TEXT,
  redrives INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE reasons (grp TEXT PRIMARY KEY, service TEXT, handler TEXT, code TEXT NOT NULL, error_class TEXT, grp_reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE groups (grp TEXT NOT NULL, state TEXT NOT NULL, kind TEXT NOT NULL, letters INTEGER NOT NULL, first_at TEXT NOT NULL, last_at TEXT NOT NULL,
  PRIMARY KEY (grp, state, kind)) WITHOUT ROWID;
CREATE VIEW listed AS SELECT states.*, subject, event_id, event_key, error_class, grp_reason, letter FROM states
  LEFT JOIN letters ON letters.seq = states.seq LEFT JOIN reasons ON reasons.grp = states.grp;
CREATE VIEW grouped AS SELECT groups.*, service, handler, code, error_class, grp_reason FROM groups LEFT JOIN reasons ON reasons.grp = groups.grp;
CREATE TRIGGER letter_removed AFTER DELETE ON letters BEGIN DELETE FROM states WHERE seq = old.seq; END;
${counting('state_added', 'AFTER INSERT ON states')}
${counting('state_entered', 'AFTER UPDATE OF state ON states WHEN old.state <> new.state')}
${discounting('state_left', 'AFTER UPDATE OF state ON states WHEN old.state <> new.state')}
${discounting('state_removed', 'AFTER DELETE ON states')}
`

function counting(name: string, when: string): string {
  return `CREATE TRIGGER ${name} ${when} BEGIN
    INSERT INTO groups VALUES (new.grp, new.state, new.kind, 1, new.at, new.at)
    ON CONFLICT DO UPDATE SET letters = letters + 1, first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
  END;`
}

function discounting(name: string, when: string): string {
  return `CREATE TRIGGER ${name} ${when} BEGIN
    UPDATE groups SET letters = letters - 1 WHERE grp = old.grp AND state = old.state AND kind = old.kind;
    DELETE FROM groups WHERE grp = old.grp AND state = old.state AND kind = old.kind AND letters = 0;
  END;`
}
