import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  fault?: string | undefined;
  isLabelHidden?: boolean;
  children: (attributes: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': boolean }) => JSX.Element;
}

/** A labelled input with what to know of it and, beside it, what the service found wrong. */
export function Field({ label, hint, fault, isLabelHidden = false, children }: FieldProps) {
  const id = useId();
  const described = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(' ') || undefined;
  return (
    <div class="field">
      <label for={id} class={isLabelHidden ? 'unseen' : ''}>
        {label}
      </label>
      {children({ id, 'aria-describedby': described, 'aria-invalid': fault !== undefined })}
      {fault && (
        <p class="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface TextFieldProps {
  label: string;
  value: string;
  onText: (text: string) => void;
  hint?: ComponentChildren;
  fault?: string | undefined;
  isLabelHidden?: boolean;
  type?: 'text' | 'search' | 'password' | 'datetime-local' | 'month';
  placeholder?: string;
  required?: boolean;
  /** Of moments: to the second. */
  step?: number;
  max?: string;
}

export function TextField({ label, value, onText, hint, fault, isLabelHidden, ...rest }: TextFieldProps) {
  // The types of `input` differ by its `type`; these take all that is passed.
  const passed = rest as { type?: 'text' };
  return (
    <Field label={label} hint={hint} fault={fault} isLabelHidden={isLabelHidden}>
      {(attributes) => (
        <input
          type="text"
          autocomplete="off"
          spellcheck={false}
          {...passed}
          {...attributes}
          value={value}
          onInput={(event) => onText(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}
