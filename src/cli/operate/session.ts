import { stringify } from 'yaml';
import type { Client } from '../../client/calls.ts';
import { DeclinedError, UsageError } from '../exit-codes.ts';
import type { Host } from '../host.ts';
import { tableLines, type Cell, type Column } from '../table.ts';
import { createColours, type Colours } from './colours.ts';
import { connect, type ConnectionOptions } from './connection.ts';

/** Of every command that talks to a control plane. */
export interface CommonOptions extends ConnectionOptions {
  readonly output: 'table' | 'json' | 'yaml';
  readonly yes?: boolean;
}

/** One command's talk with the control plane and with who has called it. */
export interface Session {
  readonly host: Host;
  readonly client: Client;
  readonly colours: Colours;
  /** As the caller wants it: the data, or what people read. */
  show(data: unknown, human: () => readonly string[]): void;
  table(columns: readonly Column[], rows: readonly (readonly (Cell | string)[])[]): readonly string[];
  /** @throws DeclinedError, UsageError where nobody can be asked */
  confirm(question: string): Promise<void>;
}

export function openSession(host: Host, options: CommonOptions): Session {
  const colours = createColours(host.terminal.isOutput && !host.environment['NO_COLOR']);
  return {
    host,
    client: connect(host, options),
    colours,
    show(data, human) {
      if (options.output === 'json') host.print(JSON.stringify(data, null, 2));
      else if (options.output === 'yaml') host.print(stringify(data).trimEnd());
      else for (const line of human()) host.print(line);
    },
    table: (columns, rows) => tableLines(columns, rows, colours.faint),
    async confirm(question) {
      if (options.yes === true) return;
      if (!host.terminal.isInput) {
        throw new UsageError(`${question} There is no terminal to ask on; say --yes if that is meant`);
      }
      const answer = await host.ask(`${question} [y/N] `);
      if (!/^y(es)?$/i.test(answer.trim())) throw new DeclinedError('Nothing was changed');
    },
  };
}
