import { sendTelemetry, type TelemetryPart } from './telemetry-load.ts';

/** A process that does nothing but send telemetry: `telemetry-part.ts <json>`. */

const result = await sendTelemetry(JSON.parse(process.argv[2]!) as TelemetryPart, () =>
  process.send!('started'),
);
// A long message needs its time.
process.send!(result, () => process.disconnect());
