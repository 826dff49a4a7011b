import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashOf, placeOf, tokenOf, type Place } from '../../../control/dashboard/model/place.ts';

test('the address of a place leads back to it', () => {
  const name = fc.string({ minLength: 1 }).filter((text) => text.isWellFormed());
  const places = fc.oneof(
    fc.constantFrom<Place>({ page: 'deployments' }, { page: 'workers' }, { page: 'queues' }),
    name.map((id): Place => ({ page: 'deployment', id })),
    name.map((queue): Place => ({ page: 'dead', queue })),
  );
  fc.assert(
    fc.property(places, (place) => {
      expect(placeOf(hashOf(place))).toEqual(place);
    }),
  );
});

test.each(['', '#', '#/', '#/nowhere', '#/deployments/', '#%E0%A4%A'])(
  '%j is the list of deployments',
  (hash) => {
    expect(placeOf(hash)).toEqual({ page: 'deployments' });
  },
);

test('a link may carry a token', () => {
  expect(tokenOf('#token=abc-123')).toBe('abc-123');
  expect(tokenOf('#token=a%2Bb')).toBe('a+b');
  expect(tokenOf('#token=')).toBeUndefined();
  expect(tokenOf('#/deployments')).toBeUndefined();
});
