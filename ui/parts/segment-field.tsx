import { useId } from 'preact/hooks';
import type { Segments } from '../api/answers.ts';
import { Field } from './field.tsx';
import { useLoaded, useSettled } from './loading.ts';
import { useClient } from './session.ts';

interface SegmentFieldProps {
  label: string;
  value: string;
  onText: (slug: string) => void;
  fault?: string | undefined;
  hint?: string;
  /** Slugs to offer that no longer live. */
  more?: readonly string[];
}

/** The slug of a segment, offered as it is typed. */
export function SegmentField({ label, value, onText, fault, hint, more = [] }: SegmentFieldProps) {
  const client = useClient();
  const list = useId();
  const prefix = useSettled(value.trim(), 200);
  const { value: found } = useLoaded((signal) => client.get<Segments>('v1/segments', { prefix, limit: 50 }, signal), [prefix]);
  const slugs = new Set([...(found?.segments ?? []).map(({ slug }) => slug), ...more.filter((slug) => slug.startsWith(prefix))]);
  return (
    <Field label={label} hint={hint} fault={fault}>
      {(attributes) => (
        <>
          <input
            type="text"
            autocomplete="off"
            spellcheck={false}
            list={list}
            value={value}
            {...attributes}
            onInput={(event) => onText(event.currentTarget.value)}
          />
          <datalist id={list}>
            {[...slugs].map((slug) => (
              <option key={slug} value={slug} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
