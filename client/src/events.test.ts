import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventReader } from './events.ts';

const text =
  'retry: 1000\n:\nid: 1\n\nevent: entry\nid: 2:1:a\ndata: {"a":1}\n\n: still here\n\nevent: exit\r\ndata:x\r\ndata:  y\r\nid\r\nodd: z\r\n\r\nevent: cut\nid: 9\n';
const expected = [
  { id: '1', type: '', data: '' },
  { id: '2:1:a', type: 'entry', data: '{"a":1}' },
  { id: '2:1:a', type: '', data: '' },
  { id: '', type: 'exit', data: 'x\n y' },
];

test('reads events however their text is cut, and leaves one that is not whole', () => {
  for (let length = 1; length <= text.length; length++) {
    const read = eventReader();
    const events = [];
    for (let from = 0; from < text.length; from += length) events.push(...read(text.slice(from, from + length)));
    assert.deepEqual(events, expected, `pieces of ${length}`);
  }
});
