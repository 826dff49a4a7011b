import { describe, expect, test } from 'vitest';
import { created, openControl, type Control, type Json } from './harness.ts';
import { refusal } from './refusal.ts';

/** What the API document says of pagination, for every list. */

const ITEMS = 12;

interface List {
  readonly path: string;
  /** Of the complete list. */
  readonly name: string;
}

const LISTS: Readonly<Record<string, (control: Control) => Promise<List>>> = {
  async deployments(control) {
    for (let i = 0; i < ITEMS; i++) await created(control, { queue_name: `q${i}` });
    return { path: '/deployments', name: 'deployments' };
  },
  async workers(control) {
    for (let i = 0; i < ITEMS; i++) {
      await control.call('POST', '/workers', { id: `w${i}`, version: 'v1', queues: ['q'] });
    }
    return { path: '/workers', name: 'workers' };
  },
  async events(control) {
    const id = await created(control);
    for (let i = 1; i < ITEMS; i++)
      await control.call('PUT', `/deployments/${id}/percentage`, { percentage: i });
    return { path: `/deployments/${id}/events`, name: 'events' };
  },
};

describe.each(Object.entries(LISTS))('the list of %s', (_name, fill) => {
  test('is complete under its own name, or comes in pages of which the parts make the whole', async () => {
    const control = await openControl();
    const { path, name } = await fill(control);
    const complete = await control.call('GET', path);
    expect(Object.keys(complete.body)).toEqual([name, 'count']);
    const items = complete.body[name] as readonly Json[];
    expect([items.length, complete.body.count]).toEqual([ITEMS, ITEMS]);

    const pagination = { page_size: 10, total_pages: 2, total_items: ITEMS };
    expect((await control.call('GET', `${path}?page=1`)).body).toEqual({
      data: items.slice(0, 10),
      pagination: { page: 1, ...pagination, has_next: true, has_prev: false },
    });
    expect((await control.call('GET', `${path}?page=2`)).body).toEqual({
      data: items.slice(10),
      pagination: { page: 2, ...pagination, has_next: false, has_prev: true },
    });
    expect((await control.call('GET', `${path}?page=2&page_size=5`)).body).toEqual({
      data: items.slice(5, 10),
      pagination: { page: 2, page_size: 5, total_pages: 3, total_items: 12, has_next: true, has_prev: true },
    });
    expect((await control.call('GET', `${path}?page_size=100`)).body.data).toEqual(items);
    expect((await control.call('GET', `${path}?page=7`)).body).toMatchObject({
      data: [],
      pagination: { page: 7, has_next: false },
    });
  });

  test.each(['0', '-1', '1.5', '01', '+1', '1e1', ' 1', 'x', '', '101'])(
    'has no pages of %j items',
    async (size) => {
      const control = await openControl();
      const { path } = await fill(control);
      const answer = await control.call('GET', `${path}?page_size=${encodeURIComponent(size)}`);
      expect(answer).toEqual(refusal(400, 'VALIDATION_FAILED', ['page_size']));
    },
  );

  test('refuses parameters that it does not know, all at once', async () => {
    const control = await openControl();
    const { path } = await fill(control);
    const answer = await control.call('GET', `${path}?page=0&limit=5&offset=0&__proto__=1`);
    expect(answer.status).toBe(400);
    expect(Object.keys(answer.body.details)).toEqual(expect.arrayContaining(['page', 'limit', 'offset']));
  });
});

test.each(['/deployments', '/workers'])('an empty list has no pages: %s', async (path) => {
  const control = await openControl();
  expect((await control.call('GET', `${path}?page=1`)).body).toEqual({
    data: [],
    pagination: { page: 1, page_size: 10, total_pages: 0, total_items: 0, has_next: false, has_prev: false },
  });
});
