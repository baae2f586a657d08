/** How long a process that is not heard of keeps an import that it receives or carries out. An interval of PostgreSQL. */
export const lease = '15 seconds';

/** How often its owner says that it lives: twice may fail. */
export const renewMs = 5_000;
