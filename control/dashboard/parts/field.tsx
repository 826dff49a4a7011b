import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

/** A labelled field that shows what the API says of it. */
export interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** What the API found wrong with it. */
  readonly problem: string | undefined;
  readonly hint?: string;
  readonly placeholder?: string;
  readonly isRequired?: boolean;
  /** To choose from, or else to write something new. */
  readonly known?: readonly string[];
  readonly isFirst?: boolean;
}

export function TextField(props: FieldProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>
        {props.label}
        {props.isRequired === true && <span class="required"> required</span>}
      </label>
      <input
        id={id}
        name={props.name}
        type="text"
        autocomplete="off"
        spellcheck={false}
        autofocus={props.isFirst === true}
        placeholder={props.placeholder}
        value={props.value}
        list={props.known === undefined ? undefined : `${id}-known`}
        aria-invalid={props.problem !== undefined}
        aria-describedby={`${id}-about`}
        onInput={({ currentTarget }) => props.onChange(currentTarget.value)}
      />
      {props.known !== undefined && (
        <datalist id={`${id}-known`}>
          {props.known.map((known) => (
            <option key={known} value={known} />
          ))}
        </datalist>
      )}
      <About id={`${id}-about`} {...props} />
    </div>
  );
}

export function ChoiceField(props: FieldProps & { readonly children: ComponentChildren }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <select
        id={id}
        name={props.name}
        value={props.value}
        aria-invalid={props.problem !== undefined}
        aria-describedby={`${id}-about`}
        onChange={({ currentTarget }) => props.onChange(currentTarget.value)}
      >
        {props.children}
      </select>
      <About id={`${id}-about`} {...props} />
    </div>
  );
}

function About({ id, problem, hint, label }: FieldProps & { readonly id: string }) {
  return (
    <p id={id} class={problem === undefined ? 'hint' : 'field-problem'}>
      {problem === undefined ? hint : `${label} ${problem}`}
    </p>
  );
}
