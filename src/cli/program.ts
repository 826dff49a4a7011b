import { Command } from 'commander';
import { VERSION } from '../runtime/version.ts';
import type { Host } from './host.ts';
import { loadSettings } from './settings.ts';
import type { SidecarOptions } from './sidecar.ts';

/** The command line. Commands load what they run, so that `--help` is quick. */
export function createProgram(host: Host): Command {
  const program = new Command('lanewise')
    .description(
      'Rolls out new versions of job workers: a proxy that splits each queue, and its control plane.',
    )
    .version(VERSION)
    // `lanewise proxy --version v1.3.0` names the worker's, not ours.
    .enablePositionalOptions()
    .showHelpAfterError();

  const serving = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .option('-c, --config <file>', 'YAML configuration; the environment wins over it');

  serving('standalone', 'Both planes in one process; embedded store unless REDIS_URL is set.').action(
    async (options: { config?: string }) => {
      const { runStandalone } = await import('./planes.ts');
      await runStandalone(host, loadSettings(host, options.config));
    },
  );
  serving('control', 'The control plane alone; needs REDIS_URL.').action(
    async (options: { config?: string }) => {
      const { runControl } = await import('./planes.ts');
      await runControl(host, loadSettings(host, options.config));
    },
  );
  serving(
    'proxy',
    'A proxy alone; needs REDIS_URL. With --worker it is the sidecar of a worker that it registers.',
  )
    .option('--worker <url>', 'the worker beside it; registered for as long as this proxy runs')
    .option('--version <version>', "the worker's version")
    .option('--queues <queues>', 'that the worker serves, separated by commas')
    .option('--lane <lane>', 'that the worker registers with, stable or canary', 'stable')
    .option('--worker-id <id>', 'made from host name and port if left out')
    .action(async (options: SidecarOptions & { config?: string }) => {
      const [{ runProxy }, { sidecarWorker }] = await Promise.all([
        import('./planes.ts'),
        import('./sidecar.ts'),
      ]);
      await runProxy(host, loadSettings(host, options.config), sidecarWorker(options, host.name));
    });
  program
    .command('demo')
    .description('Watch a good version being rolled out and a bad one being rolled back, then end.')
    .option('--keep', 'leave it running at the end')
    .action(async (options: { keep?: boolean }) => {
      const { runDemo } = await import('./demo/demo.ts');
      await runDemo(host, { keep: options.keep === true });
    });
  program
    .command('demo-worker', { hidden: true })
    .option('--failing <share>', 'of the jobs, 0 to 1', Number, 0)
    .action(async ({ failing }: { failing: number }) => {
      host.endWithParent();
      const { runDemoWorker } = await import('./demo/worker-process.ts');
      runDemoWorker({ failing, random: Math.random, onListening: (url) => host.tellParent(url) });
    });
  return program;
}
