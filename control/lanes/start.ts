import type { Registry } from 'prom-client';
import type { Logger } from '../../src/runtime/log.ts';
import { startPeriodic } from '../../src/runtime/periodic.ts';
import { isOutage } from './drain.ts';
import { createDrainer, type DrainerOptions } from './drainer.ts';
import { addLaneMetrics } from './metrics.ts';
import { createLaneSurvey, type LaneSurveyOptions } from './survey.ts';

/** What looks after the lanes by itself. */

export interface RunningLanes {
  /** Resolves when what is under way has ended. */
  stop(): Promise<void>;
}

/** From the end of one round to the beginning of the next. */
const DRAIN_EVERY_MS = 500;
/** The metrics are that old at most; a scrape comes less often. */
const SURVEY_EVERY_MS = 5000;

export function startLanes(
  options: DrainerOptions & LaneSurveyOptions & { readonly registry: Registry },
): RunningLanes {
  const { log, registry } = options;
  const drainer = createDrainer(options);
  const survey = createLaneSurvey(options);
  addLaneMetrics(registry, survey);
  const rounds = [
    startPeriodic(
      () => DRAIN_EVERY_MS,
      guarded(() => drainer.tick(), log),
    ),
    startPeriodic(
      () => SURVEY_EVERY_MS,
      guarded(() => survey.tick(), log),
    ),
  ];
  return {
    async stop() {
      await Promise.all(rounds.map((round) => round.stop()));
    },
  };
}

function guarded(tick: () => Promise<void>, log: Logger): () => Promise<void> {
  return async () => {
    try {
      await tick();
    } catch (error) {
      const message = 'the queues or the deployments could not be read; the lanes are looked at again';
      log[isOutage(error) ? 'debug' : 'error']({ err: error }, message);
    }
  };
}
