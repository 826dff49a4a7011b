import { followEvents } from '../../client/events.ts';
import { pause } from '../../runtime/periodic.ts';
import { deploymentLines } from './deployment-view.ts';
import { factsOf } from './deployments.ts';
import { findDeploymentToRead } from './find-deployment.ts';
import type { Session } from './session.ts';

/** `get --watch`: one deployment as it goes. On a terminal it is drawn in place; elsewhere each change is lines below the last. */

/** A promotion is three frames; what they are about is read once. The API's rate limit is for all of the operator's calls. */
const GATHER_MS = 300;

export async function watch(session: Session, name: string, signal: AbortSignal): Promise<void> {
  const { client, host, colours } = session;
  const id = await findDeploymentToRead(client, name);
  let isConnected = true;
  let lines = deploymentLines(await factsOf(client, id), colours, new Date());
  let drawn = 0;
  const draw = (): void => {
    const note = isConnected
      ? 'Live; Ctrl-C ends the watch'
      : 'The control plane does not answer; trying again';
    const shown = [...lines, '', (isConnected ? colours.faint : colours.warning)(note)];
    host.print(
      host.terminal.isOutput
        ? `${inPlace(drawn)}${UNWRAPPED}${shown.join('\u001b[K\n')}\u001b[K${WRAPPED}`
        : lines.join('\n'),
    );
    drawn = shown.length;
  };
  draw();
  const onConnection = (isOpen: boolean): void => {
    if (isConnected === isOpen) return;
    isConnected = isOpen;
    if (host.terminal.isOutput) draw();
  };
  let isStale = false;
  let reading: Promise<void> | undefined;
  const read = async (): Promise<void> => {
    while (isStale && (await pause(GATHER_MS, signal))) {
      isStale = false;
      try {
        lines = deploymentLines(await factsOf(client, id, signal), colours, new Date());
        draw();
      } catch {
        // Over the rate limit, or gone for now: the next frame, or the end of the stream, tells.
      }
    }
    reading = undefined;
  };
  for await (const _ of followEvents(client, id, { signal, onConnection })) {
    isStale = true;
    reading ??= read();
  }
  await reading;
}

/** A line that is too long for the terminal is cut: wrapped, it would be two, and the next picture would start too low. */
const UNWRAPPED = '\u001b[?7l';
const WRAPPED = '\u001b[?7h';

/** Back to the first line of what was drawn, and everything below is gone. */
function inPlace(linesDrawn: number): string {
  return linesDrawn === 0 ? '' : `\u001b[${linesDrawn}A\u001b[J`;
}
