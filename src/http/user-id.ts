/** 1 to 128 visible ASCII characters; `.` and `..` are none, since clients fold them away in a path. */
export const userIdPattern = '^(?!\\.{1,2}$)[!-~]{1,128}$';
