import { describe, expect, it } from 'vitest';
import { maskRedisUrl, parseRedisUrl } from '../../../src/runtime/store/redis/url.ts';

describe('a Redis URL', () => {
  it('names one server', () => {
    expect(parseRedisUrl('redis://localhost')).toEqual({
      kind: 'single',
      tls: false,
      address: { host: 'localhost', port: 6379 },
      db: 0,
    });
    expect(parseRedisUrl('rediss://ops:p%40ss:w%2Ford@[::1]:6380/3')).toEqual({
      kind: 'single',
      tls: true,
      username: 'ops',
      password: 'p@ss:w/ord',
      address: { host: '::1', port: 6380 },
      db: 3,
    });
    expect(parseRedisUrl('redis://:secret@cache')).toMatchObject({ password: 'secret' });
    expect(parseRedisUrl('redis://:a/b@c@cache')).toMatchObject({
      password: 'a/b@c',
      address: { host: 'cache' },
    });
    expect(parseRedisUrl('redis://:secret@cache')).not.toHaveProperty('username');
  });

  it('names Sentinels and their master', () => {
    expect(parseRedisUrl('redis+sentinel://:pw@a,b:26380/main/2?sentinel_password=other')).toEqual({
      kind: 'sentinel',
      tls: false,
      password: 'pw',
      sentinels: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 26380 },
      ],
      masterName: 'main',
      db: 2,
      sentinelPassword: 'other',
    });
  });

  it('names nodes of a Cluster', () => {
    expect(parseRedisUrl('rediss+cluster://u:p@a:7000,b')).toEqual({
      kind: 'cluster',
      tls: true,
      username: 'u',
      password: 'p',
      nodes: [
        { host: 'a', port: 7000 },
        { host: 'b', port: 6379 },
      ],
    });
  });

  it.each([
    ['localhost:6379', 'is not a URL'],
    ['http://localhost', 'has the unknown scheme "http"'],
    ['redis://', 'has the bad host ""'],
    ['redis://a,b', 'must name one host'],
    ['redis://a:99999', 'has the bad port 99999'],
    ['redis://a/first', 'has the bad database number "first"'],
    ['redis://a?db=1', 'has the unknown option "db"'],
    ['redis://name@a', 'has a user name without a password'],
    ['redis://:%zz@a', 'has a "%"'],
    ['redis+sentinel://a:26379', "lacks the master's name"],
    ['redis+sentinel://a/main/0/x', 'has too many path segments'],
    ['redis+cluster://a,,b', 'has the bad host ""'],
    ['redis+cluster://a/1', 'names a database'],
  ])('is refused as %s', (url, problem) => {
    expect(() => parseRedisUrl(url)).toThrow(problem);
    expect(() => parseRedisUrl(url)).toThrow('it must be redis://host:6379/0');
  });

  it('is printed without its passwords, even when it is wrong', () => {
    expect(maskRedisUrl('redis://u:s3cret@a:1/0')).toBe('redis://***@a:1/0');
    expect(maskRedisUrl('redis+sentinel://:s3cret@a/m?sentinel_password=s3cret')).not.toContain('s3cret');
    for (const url of ['redis://u:s3c/re@t@a/x/y', 'redos://u:s3c@a', 'redis://u:s3c@a:0']) {
      expect(() => parseRedisUrl(url)).toThrow('***');
      expect(() => parseRedisUrl(url)).not.toThrow('s3c');
    }
  });
});
