import { otherDetails, type Refusal } from '../model/refusal.ts';

/** What the API said, and what it said of fields that the form around it does not show. */
export function RefusalNote(props: { readonly refusal: Refusal; readonly fields?: ReadonlySet<string> }) {
  const details = otherDetails(props.refusal, props.fields ?? new Set());
  return (
    <div class="note note-bad" role="alert">
      <p>
        <strong>{props.refusal.message}</strong>
        {props.refusal.code !== undefined && <code class="code-quiet">{props.refusal.code}</code>}
      </p>
      {details.length > 0 && (
        <ul>
          {details.map((detail) => (
            <li key={detail}>{detail}</li>
          ))}
        </ul>
      )}
    </div>
  );
}
