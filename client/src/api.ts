// Made from the OpenAPI document by `npm run types:client`. Do not change it by hand.

/** The parameters of each operation, as they are called in its query. */
export interface Queries {
  /** List segments. */
  listSegments: {
    limit?: number | undefined;
    /** The `next_cursor` of the page before. */
    cursor?: string | undefined;
    /** Only slugs that start so. */
    prefix?: string | undefined;
    /** Only those of this group. */
    exclusive_group?: string | undefined;
  };
  /** Change a segment. */
  changeSegment: {
    /** With `percent`: change nothing, and answer what the change would do to known users. */
    dry_run?: boolean | undefined;
  };
  /** List who is in by hand. */
  listMembers: {
    limit?: number | undefined;
    /** The `next_cursor` of the page before. */
    cursor?: string | undefined;
  };
  /** Read a user's segments. */
  readSegmentsOfUser: {
    /** Ask the database, so the answer is current. */
    last_revision?: boolean | undefined;
    /** The answer is at least as new as this revision. */
    min_revision?: string | undefined;
    /** A past moment. The same question gets the same answer whenever it is asked. */
    at?: string | undefined;
  };
  /** Why a user is in a segment, or not. */
  explainMembership: {
    /** A past moment. The same question gets the same answer whenever it is asked. */
    at?: string | undefined;
  };
  /** What was said of a user by hand. */
  listMemberships: {
    ended?: boolean | undefined;
    limit?: number | undefined;
    /** The `next_cursor` of the page before. */
    cursor?: string | undefined;
  };
  /** A user's entries and exits. */
  readHistory: {
    /** A calendar month, `YYYY-MM`. */
    month?: string | undefined;
    /** The IANA name of the time zone that bounds the month. */
    timezone?: string | undefined;
    /** RFC 3339, answered in UTC with milliseconds. */
    from?: string | undefined;
    /** RFC 3339, answered in UTC with milliseconds. */
    to?: string | undefined;
    limit?: number | undefined;
    /** The `next_cursor` of the page before. */
    cursor?: string | undefined;
  };
  /** A link to a user's month as CSV. */
  linkReport: {
    /** A calendar month, `YYYY-MM`. */
    month: string;
    /** The IANA name of the time zone that bounds the month. */
    timezone?: string | undefined;
    /** A form in which a spreadsheet runs no cell as a formula: ids are in quotes, and an apostrophe stands before `=`, `+`, `-` and `@`. */
    spreadsheet?: boolean | undefined;
  };
  /** A link to a month of all users, or of a segment's, as CSV. */
  linkReportOfMany: {
    /** A calendar month, `YYYY-MM`. */
    month: string;
    /** The IANA name of the time zone that bounds the month. */
    timezone?: string | undefined;
    /** A form in which a spreadsheet runs no cell as a formula: ids are in quotes, and an apostrophe stands before `=`, `+`, `-` and `@`. */
    spreadsheet?: boolean | undefined;
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    segment?: string | undefined;
  };
  /** How many were in by hand, over time. */
  readTimeline: {
    /** RFC 3339, answered in UTC with milliseconds. */
    from: string;
    /** RFC 3339, answered in UTC with milliseconds. */
    to: string;
    points?: number | undefined;
  };
  /** Follow what happens. */
  followChanges: {
    /** The `id` of an event: what follows it is told. Default: from now on. */
    after?: string | undefined;
    /** Only of this segment, in all its lives. */
    segment?: string | undefined;
    /** Only of this user, and of segments, which concern everybody. */
    user_id?: string | undefined;
  };
  /** In which segments a user is, for OpenFeature. */
  evaluateFlags: {
    /** Of the event that led to the request; not looked at. */
    flagConfigEtag?: string | undefined;
    /** Of the event that led to the request, in seconds or as RFC 3339: the answer is no older. */
    flagConfigLastModified?: string | undefined;
  };
  /** Import a file of user ids. */
  importMembers: {
    /** `replace` makes those in by hand exactly the ones of the file. */
    operation: 'add' | 'remove' | 'replace';
    /** After how many seconds, from `created_at`, what is added ends. Default: never. Not with `remove`. */
    ttl_seconds?: number | undefined;
    /** End the users' memberships by hand in the other segments of the exclusive group. Not with `remove`. */
    replace_in_group?: boolean | undefined;
  };
  /** List imports. */
  listImports: {
    /** Only those into segments of this slug. */
    segment?: string | undefined;
    /** Only those in this state. */
    state?: 'receiving' | 'running' | 'done' | 'failed' | 'cancelled' | undefined;
    limit?: number | undefined;
    /** The `next_cursor` of the page before. */
    cursor?: string | undefined;
  };
  /** List keys. */
  listKeys: {
    limit?: number | undefined;
    /** The `next_cursor` of the page before. */
    cursor?: string | undefined;
  };
}

/** The JSON that each operation takes. */
export interface Bodies {
  /** Create a segment. */
  createSegment: {
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    slug: string;
    /** Up to 1,000 characters. */
    description?: string | undefined;
    /** Of all users, taken automatically. In steps of 0.01. */
    percent?: number | undefined;
    /** Decides, with the user id, the bucket of each user. Never changes. Default: the slug; in an exclusive group it is the group's name. */
    salt?: string | undefined;
    /** Segments of one group never share a user. Never changes. Default: none. */
    exclusive_group?: string | undefined;
  };
  /** Change a segment. */
  changeSegment: {
    /** Up to 1,000 characters. */
    description?: string | undefined;
    /** Of all users, taken automatically. In steps of 0.01. */
    percent?: number | undefined;
    /** The moment in the future at which `percent` comes into force; with `percent` alone. Default: now. */
    effective_at?: string | undefined;
  };
  /** Change a user's segments. */
  changeSegmentsOfUser: {
    /** The segments to put the user in. */
    add?: readonly string[] | undefined;
    /** The segments to take the user out of; under a percentage the user is kept out of it from then on. */
    remove?: readonly string[] | undefined;
    /** After how many seconds all of `add` ends. Default: never. */
    ttl_seconds?: number | undefined;
    /** The moment in the future at which all of `add` ends; not together with `ttl_seconds`. */
    expires_at?: string | undefined;
    /** The moment in the future at which all of `add` begins; a TTL counts from it. What holds goes on until then. One plan a segment stands, and a later add or remove replaces it. */
    starts_at?: string | undefined;
    /** Ends what the user is in by hand, or will be, in the other segments of the exclusive groups of `add`. Not together with `starts_at`. Default: false, a conflict. */
    replace_in_group?: boolean | undefined;
  };
  /** Read the segments of up to 1,000 users. */
  lookUp: {
    user_ids: readonly string[];
    /** Ask the database, so the answer is current. */
    last_revision?: boolean | undefined;
    /** The answer is at least as new as this revision. */
    min_revision?: string | undefined;
  };
  /** Whether a user is in a segment, for OpenFeature. */
  evaluateFlag: {
    /** Besides the user id it may hold anything, which is not looked at. */
    context: {
      /** The user id. */
      targetingKey: string;
    };
  };
  /** In which segments a user is, for OpenFeature. */
  evaluateFlags: {
    /** Besides the user id it may hold anything, which is not looked at. */
    context: {
      /** The user id. */
      targetingKey: string;
    };
  };
  /** Make a key. */
  createKey: {
    /** What the history shows as the actor: 1 to 128 visible characters. Never given again. */
    name: string;
    /** Each includes those before it. */
    scope: 'evaluate' | 'read' | 'write' | 'admin';
  };
}

/** The JSON that each operation answers where it succeeds. */
export interface Answers {
  /** This document. */
  readApi: Record<string, unknown>;
  /** Create a segment. */
  createSegment: {
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    slug: string;
    description: string;
    /** That in force. */
    percent: number;
    salt: string;
    exclusive_group: string | null;
    /** RFC 3339, answered in UTC with milliseconds. */
    created_at: string;
    /** The moment of the last request that changed the segment. */
    updated_at: string;
    /** The buckets taken, of 10,000: half-open [from, to) pairs. */
    ranges: [number, number][];
    /** Percentages still to come, by their moment. Their buckets are reserved. */
    scheduled: {
      /** Its `effective_at` in milliseconds. */
      id: string;
      percent: number;
      /** The buckets taken, of 10,000: half-open [from, to) pairs. */
      ranges: [number, number][];
      /** RFC 3339, answered in UTC with milliseconds. */
      effective_at: string;
    }[];
  };
  /** List segments. */
  listSegments: {
    segments: {
      /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
      slug: string;
      description: string;
      /** That in force. */
      percent: number;
      salt: string;
      exclusive_group: string | null;
      /** RFC 3339, answered in UTC with milliseconds. */
      created_at: string;
      /** The moment of the last request that changed the segment. */
      updated_at: string;
      /** The buckets taken, of 10,000: half-open [from, to) pairs. */
      ranges: [number, number][];
      /** Percentages still to come, by their moment. Their buckets are reserved. */
      scheduled: {
        /** Its `effective_at` in milliseconds. */
        id: string;
        percent: number;
        /** The buckets taken, of 10,000: half-open [from, to) pairs. */
        ranges: [number, number][];
        /** RFC 3339, answered in UTC with milliseconds. */
        effective_at: string;
      }[];
      /** How many are in by hand. */
      members: number;
      /** The share of the known users that `percent` is, rounded. */
      rollout_estimate: number;
    }[];
    /** For the next page; null on the last. */
    next_cursor: string | null;
  };
  /** Read a segment. */
  readSegment: {
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    slug: string;
    description: string;
    /** That in force. */
    percent: number;
    salt: string;
    exclusive_group: string | null;
    /** RFC 3339, answered in UTC with milliseconds. */
    created_at: string;
    /** The moment of the last request that changed the segment. */
    updated_at: string;
    /** The buckets taken, of 10,000: half-open [from, to) pairs. */
    ranges: [number, number][];
    /** Percentages still to come, by their moment. Their buckets are reserved. */
    scheduled: {
      /** Its `effective_at` in milliseconds. */
      id: string;
      percent: number;
      /** The buckets taken, of 10,000: half-open [from, to) pairs. */
      ranges: [number, number][];
      /** RFC 3339, answered in UTC with milliseconds. */
      effective_at: string;
    }[];
    /** How many are in by hand. */
    members: number;
    /** The share of the known users that `percent` is, rounded. */
    rollout_estimate: number;
  };
  /** Change a segment. */
  changeSegment: {
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    slug: string;
    description: string;
    /** That in force. */
    percent: number;
    salt: string;
    exclusive_group: string | null;
    /** RFC 3339, answered in UTC with milliseconds. */
    created_at: string;
    /** The moment of the last request that changed the segment. */
    updated_at: string;
    /** The buckets taken, of 10,000: half-open [from, to) pairs. */
    ranges: [number, number][];
    /** Percentages still to come, by their moment. Their buckets are reserved. */
    scheduled: {
      /** Its `effective_at` in milliseconds. */
      id: string;
      percent: number;
      /** The buckets taken, of 10,000: half-open [from, to) pairs. */
      ranges: [number, number][];
      /** RFC 3339, answered in UTC with milliseconds. */
      effective_at: string;
    }[];
  } | {
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    slug: string;
    percent: {
      from: number;
      to: number;
    };
    /** Null: now. */
    effective_at: string | null;
    /** How many of the 10,000. */
    buckets: {
      gained: number;
      lost: number;
    };
    /** Known users who would come in. */
    enter: {
      count: number;
      /** The first of them, in byte order. */
      user_ids: string[];
    };
    /** Known users who would go out. */
    leave: {
      count: number;
      /** The first of them, in byte order. */
      user_ids: string[];
    };
    /** RFC 3339, answered in UTC with milliseconds. */
    as_of: string;
  };
  /** List who is in by hand. */
  listMembers: {
    members: {
      user_id: string;
      /** RFC 3339, answered in UTC with milliseconds. */
      since: string;
      /** When the membership ends by itself; null: never. */
      until: string | null;
    }[];
    /** For the next page; null on the last. */
    next_cursor: string | null;
  };
  /** Read a user's segments. */
  readSegmentsOfUser: {
    /** 1 to 128 visible ASCII characters, percent-encoded in a path where needed; `.` and `..` are none. */
    user_id: string;
    /** Sorted; null when the user is in none. */
    segments: string[] | null;
    /** RFC 3339, answered in UTC with milliseconds. */
    as_of: string;
    /** Orders writes: greater is later. */
    revision: string;
  };
  /** Change a user's segments. */
  changeSegmentsOfUser: {
    /** 1 to 128 visible ASCII characters, percent-encoded in a path where needed; `.` and `..` are none. */
    user_id: string;
    /** Not in the instant before, in now. */
    added: string[];
    /** In the instant before, not in now; also those of a group that made room with `replace_in_group`. */
    removed: string[];
    /** As before; the end may have moved. */
    unchanged: string[];
    /** Sorted; null when the user is in none. */
    segments: string[] | null;
    /** RFC 3339, answered in UTC with milliseconds. */
    as_of: string;
    /** Orders writes: greater is later. */
    revision: string;
  };
  /** Read the segments of up to 1,000 users. */
  lookUp: {
    users: {
      /** 1 to 128 visible ASCII characters, percent-encoded in a path where needed; `.` and `..` are none. */
      user_id: string;
      /** Sorted; null when the user is in none. */
      segments: string[] | null;
    }[];
    /** RFC 3339, answered in UTC with milliseconds. */
    as_of: string;
    /** Orders writes: greater is later. */
    revision: string;
  };
  /** Why a user is in a segment, or not. */
  explainMembership: {
    /** 1 to 128 visible ASCII characters, percent-encoded in a path where needed; `.` and `..` are none. */
    user_id: string;
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    segment: string;
    member: boolean;
    because: 'added' | 'rollout' | 'segment_deleted' | 'excluded' | 'group_taken' | 'removed' | 'expired' | 'not_covered' | 'never_added';
    /** The last entry or exit up to the moment, within this life of the segment. */
    since: string | null;
    /** The next one after it, past or foreseen. */
    until: string | null;
    /** The key behind it. */
    changed_by: string | null;
    /** The percentage in force and the bucket of the user, 0 to 9999; null at 0 percent. */
    rollout: {
      percent: number;
      bucket: number;
      /** The buckets taken, of 10,000: half-open [from, to) pairs. */
      ranges: [number, number][];
    } | null;
    /** RFC 3339, answered in UTC with milliseconds. */
    as_of: string;
  };
  /** What was said of a user by hand. */
  listMemberships: {
    memberships: {
      /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
      segment: string;
      effect: 'include' | 'exclude';
      /** RFC 3339, answered in UTC with milliseconds. */
      starts_at: string;
      /** Null: it does not end by itself. */
      ends_at: string | null;
      /** Who set it, or its end, last. */
      changed_by: string;
      ended_by?: string;
      ended_cause?: 'request' | 'import' | 'ttl' | 'segment_deleted';
    }[];
    /** For the next page; null on the last. */
    next_cursor: string | null;
    /** RFC 3339, answered in UTC with milliseconds. */
    as_of: string;
    /** Orders writes: greater is later. */
    revision: string;
  };
  /** A user's entries and exits. */
  readHistory: {
    /** 1 to 128 visible ASCII characters, percent-encoded in a path where needed; `.` and `..` are none. */
    user_id: string;
    /** RFC 3339, answered in UTC with milliseconds. */
    from: string;
    /** Up to here, not included, the answer is complete and final. */
    to: string;
    events: {
      /** RFC 3339, answered in UTC with milliseconds. */
      at: string;
      /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
      segment: string;
      operation: 'add' | 'remove';
      cause: 'request' | 'import' | 'ttl' | 'rollout' | 'segment_deleted';
      /** The key behind it: for `ttl` of who set the end, for `rollout` of who set the percentage. */
      actor: string;
    }[];
    /** For the next page; null on the last. */
    next_cursor: string | null;
  };
  /** A link to a user's month as CSV. */
  linkReport: {
    /** Absolute, signed; needs no key. */
    url: string;
    /** RFC 3339, answered in UTC with milliseconds. */
    expires_at: string;
  };
  /** A link to a month of all users, or of a segment's, as CSV. */
  linkReportOfMany: {
    /** Absolute, signed; needs no key. */
    url: string;
    /** RFC 3339, answered in UTC with milliseconds. */
    expires_at: string;
  };
  /** How many were in by hand, over time. */
  readTimeline: {
    points: {
      /** RFC 3339, answered in UTC with milliseconds. */
      at: string;
      /** How many were in by hand. */
      members: number;
    }[];
  };
  /** Whether a user is in a segment, for OpenFeature. */
  evaluateFlag: {
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    key: string;
    /** Whether the user is in the segment. */
    value: boolean;
    /** `TARGETING_MATCH`: put in or kept out by hand; `SPLIT`: by a percentage, or kept from one by another segment of the group; `STATIC`: neither. */
    reason: 'TARGETING_MATCH' | 'SPLIT' | 'STATIC';
    variant: 'in' | 'out';
    metadata: {
      because: 'added' | 'rollout' | 'excluded' | 'group_taken' | 'not_in';
      /** The user's, where the segment takes a percentage. */
      bucket?: number;
      /** When time alone changes the value, as far as is known now. */
      until?: string;
    };
  };
  /** In which segments a user is, for OpenFeature. */
  evaluateFlags: {
    /** All segments, by slug. */
    flags: {
      /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
      key: string;
      /** Whether the user is in the segment. */
      value: boolean;
      /** `TARGETING_MATCH`: put in or kept out by hand; `SPLIT`: by a percentage, or kept from one by another segment of the group; `STATIC`: neither. */
      reason: 'TARGETING_MATCH' | 'SPLIT' | 'STATIC';
      variant: 'in' | 'out';
      metadata: {
        because: 'added' | 'rollout' | 'excluded' | 'group_taken' | 'not_in';
        /** The user's, where the segment takes a percentage. */
        bucket?: number;
        /** When time alone changes the value, as far as is known now. */
        until?: string;
      };
    }[];
    eventStreams: {
      type: 'sse';
      /** Needs no key. It says the same for as long as LINK_TTL_SECONDS. */
      url: string;
    }[];
  };
  /** Import a file of user ids. */
  importMembers: {
    id: string;
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    segment: string;
    operation: 'add' | 'remove' | 'replace';
    state: 'receiving' | 'running' | 'done' | 'failed' | 'cancelled';
    /** Rows so far; blank lines and the header are none. At the end `applied + unchanged + rejected`. */
    received: number;
    /** Rows for which something was recorded. */
    applied: number;
    /** Rows that found it so already. */
    unchanged: number;
    /** Rows that were refused; see `rejects`. */
    rejected: number;
    /** Those whom `replace` took out. */
    removed: number;
    /** RFC 3339, answered in UTC with milliseconds. */
    created_at: string;
    finished_at: string | null;
    /** Of the last batch so far; null until one is applied. */
    revision: string | null;
    /** Why it failed. */
    error: 'interrupted' | 'segment_deleted' | 'internal_error' | null;
  };
  /** List imports. */
  listImports: {
    imports: {
      id: string;
      /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
      segment: string;
      operation: 'add' | 'remove' | 'replace';
      state: 'receiving' | 'running' | 'done' | 'failed' | 'cancelled';
      /** Rows so far; blank lines and the header are none. At the end `applied + unchanged + rejected`. */
      received: number;
      /** Rows for which something was recorded. */
      applied: number;
      /** Rows that found it so already. */
      unchanged: number;
      /** Rows that were refused; see `rejects`. */
      rejected: number;
      /** Those whom `replace` took out. */
      removed: number;
      /** RFC 3339, answered in UTC with milliseconds. */
      created_at: string;
      finished_at: string | null;
      /** Of the last batch so far; null until one is applied. */
      revision: string | null;
      /** Why it failed. */
      error: 'interrupted' | 'segment_deleted' | 'internal_error' | null;
    }[];
    /** For the next page; null on the last. */
    next_cursor: string | null;
  };
  /** Read an import. */
  readImport: {
    id: string;
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    segment: string;
    operation: 'add' | 'remove' | 'replace';
    state: 'receiving' | 'running' | 'done' | 'failed' | 'cancelled';
    /** Rows so far; blank lines and the header are none. At the end `applied + unchanged + rejected`. */
    received: number;
    /** Rows for which something was recorded. */
    applied: number;
    /** Rows that found it so already. */
    unchanged: number;
    /** Rows that were refused; see `rejects`. */
    rejected: number;
    /** Those whom `replace` took out. */
    removed: number;
    /** RFC 3339, answered in UTC with milliseconds. */
    created_at: string;
    finished_at: string | null;
    /** Of the last batch so far; null until one is applied. */
    revision: string | null;
    /** Why it failed. */
    error: 'interrupted' | 'segment_deleted' | 'internal_error' | null;
  };
  /** Cancel an import. */
  cancelImport: {
    id: string;
    /** The public name of a segment, case-sensitive: 1 to 128 of `A-Z a-z 0-9 _ . -`, starting with a letter or digit. */
    segment: string;
    operation: 'add' | 'remove' | 'replace';
    state: 'receiving' | 'running' | 'done' | 'failed' | 'cancelled';
    /** Rows so far; blank lines and the header are none. At the end `applied + unchanged + rejected`. */
    received: number;
    /** Rows for which something was recorded. */
    applied: number;
    /** Rows that found it so already. */
    unchanged: number;
    /** Rows that were refused; see `rejects`. */
    rejected: number;
    /** Those whom `replace` took out. */
    removed: number;
    /** RFC 3339, answered in UTC with milliseconds. */
    created_at: string;
    finished_at: string | null;
    /** Of the last batch so far; null until one is applied. */
    revision: string | null;
    /** Why it failed. */
    error: 'interrupted' | 'segment_deleted' | 'internal_error' | null;
  };
  /** What the key of the request is. */
  readOwnKey: {
    /** What the history shows as the actor: 1 to 128 visible characters. Never given again. */
    name: string;
    /** Each includes those before it. */
    scope: 'evaluate' | 'read' | 'write' | 'admin';
  };
  /** List keys. */
  listKeys: {
    keys: {
      /** What the history shows as the actor: 1 to 128 visible characters. Never given again. */
      name: string;
      /** Each includes those before it. */
      scope: 'evaluate' | 'read' | 'write' | 'admin';
      /** RFC 3339, answered in UTC with milliseconds. */
      created_at: string;
      /** Null while it lives. */
      revoked_at: string | null;
    }[];
    /** For the next page; null on the last. */
    next_cursor: string | null;
  };
  /** Make a key. */
  createKey: {
    /** What the history shows as the actor: 1 to 128 visible characters. Never given again. */
    name: string;
    /** Each includes those before it. */
    scope: 'evaluate' | 'read' | 'write' | 'admin';
    /** Shown this once: only its SHA-256 is kept. */
    key: string;
  };
  /** Whether the process lives. */
  isAlive: {
    alive: 'true';
  };
  /** Whether reads and writes would be answered. */
  isReady: {
    ready: boolean;
    /** What is not ready. */
    not_ready: string[];
  };
}

/** An error, as RFC 9457 has it. */
export type Problem = {
  /** The code as a relative reference. */
  type: string;
  title: string;
  status: number;
  /** What is wrong, for a person: the field, the limit and the value. */
  detail: string;
  /** Stable. */
  code: 'invalid_request' | 'unauthorized' | 'forbidden' | 'link_invalid' | 'route_not_found' | 'segment_not_found' | 'import_not_found' | 'scheduled_change_not_found' | 'key_not_found' | 'method_not_allowed' | 'segment_exists' | 'group_full' | 'group_conflict' | 'idempotency_key_reused' | 'key_exists' | 'history_dropped' | 'position_gone' | 'body_too_large' | 'unsupported_media_type' | 'rate_limited' | 'internal_error' | 'database_unavailable' | 'stale_read_refused' | 'moment_not_settled' | 'definitions_busy' | 'clock_behind' | 'overloaded';
  /** The same as in the header X-Request-Id and in the log. */
  request_id: string;
  /** Each thing that is wrong. */
  errors?: {
    path: string;
    message: string;
  }[];
  /** Of `group_full`: the percentage that nobody holds or has reserved from then on. */
  free?: number;
  /** Of `group_full`: what the segments of the group hold or have reserved from that moment on. */
  holders?: {
    slug: string;
    percent: number;
  }[];
  /** Of `group_conflict`: the segments in the way. */
  conflicts?: string[];
};
