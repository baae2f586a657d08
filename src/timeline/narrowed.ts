import { indexDefinitions } from './definitions.ts';
import type { Definitions } from './facts.ts';

/**
 * Definitions of one segment and of the others in its exclusive group: all that a command about that segment alone depends
 * on, with facts narrowed in the same way. What else the user is in neither changes the decision nor how long it is good.
 */
export function narrowedTo(definitions: Definitions, segmentId: number): Definitions {
  const segment = definitions.byId.get(segmentId);
  const isNear = (group: string | null) => group !== null && group === segment?.exclusiveGroup;
  const near = definitions.segments.filter(({ id, exclusiveGroup }) => id === segmentId || isNear(exclusiveGroup));
  return indexDefinitions(definitions.version, definitions.revision, near);
}
