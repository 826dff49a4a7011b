import type { ComponentChildren } from 'preact';

/** Nothing is there yet: what that means, and what to do next. */
export function Empty(props: {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly command?: string;
}) {
  return (
    <div class="empty">
      <h2>{props.title}</h2>
      <div class="empty-text">{props.children}</div>
      {props.command !== undefined && (
        // A long command scrolls by itself, also for those who have no mouse.
        <pre class="command" tabindex={0} aria-label="Command">
          <code>{props.command}</code>
        </pre>
      )}
    </div>
  );
}

export function Loading() {
  return <p class="loading">Reading…</p>;
}
