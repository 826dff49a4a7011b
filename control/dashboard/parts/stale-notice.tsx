import { restUntil } from '../live/call.ts';
import { now } from '../live/clock.ts';
import { freshness } from '../live/freshness.ts';
import { clockTime, span } from '../model/format.ts';

/** Says when what is shown is out of date, since when, and why. */
export function StaleNotice() {
  const text = noticeOf();
  return (
    <div class="stale" role="status">
      {text !== undefined && <p>{text}</p>}
    </div>
  );
}

function noticeOf(): string | undefined {
  const { staleSince, reason } = freshness.value;
  const restMs = restUntil.value - now.value;
  if (restMs > 0) return `The API asks for a rest: the rate limit is reached. Going on in ${span(restMs)}.`;
  if (staleSince === undefined) return undefined;
  const agoMs = now.value - staleSince;
  return `${reason} What you see is of ${clockTime(staleSince, now.value)}, ${span(agoMs)} ago. Trying again…`;
}
