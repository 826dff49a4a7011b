import { expect, test } from 'vitest';
import { keyOf } from '../../../config/webhooks.ts';
import { signatureHeaders } from '../../../control/webhooks/signature.ts';

/** Made by the reference library (`standardwebhooks` 1.0.0 for Node.js) and, alike, by Python's `hmac`. */
const VECTORS = [
  {
    secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    signed: {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      seconds: 1_614_265_330,
      body: '{"test": 2432232314}',
    },
    signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  },
  {
    secret: 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDXNuQp5qlbcA=',
    signed: {
      id: 'event_987fcdeb-51a2-43d8-b7e1-123456789abc',
      seconds: 1_757_853_900,
      body: '{"message":"Zurück auf 0 % — größer als 5"}',
    },
    signature: 'v1,zakOe96B88s+CZ6YKenbugcqXO0qdopB6ad3xPhTZNk=',
  },
];

test.each(VECTORS)(
  'the signature of $signed.id is that of Standard Webhooks',
  ({ secret, signed, signature }) => {
    expect(signatureHeaders(signed, [keyOf(secret)])).toEqual({
      'webhook-id': signed.id,
      'webhook-timestamp': String(signed.seconds),
      'webhook-signature': signature,
    });
  },
);

test('with two keys there are two signatures', () => {
  const [{ secret, signed, signature }, other] = VECTORS as [Vector, Vector];
  const headers = signatureHeaders(signed, [keyOf(other.secret), keyOf(secret)]);
  expect(headers['webhook-signature'].split(' ')).toEqual([expect.stringMatching(/^v1,/), signature]);
});

type Vector = (typeof VECTORS)[number];
