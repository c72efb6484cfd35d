"""The kernel before jupyter_kernel_test, the protocol's own test suite; conformance.test.ts runs it.

Not given, and so skipped by the suite: `code_page_something`, because TypeScript has no pager, and
`support_iopub_welcome`, because that message belongs to version 5.4 of the protocol and the kernel
speaks 5.3.
"""

import unittest

import jupyter_kernel_test


class InfinityKernelTests(jupyter_kernel_test.KernelTests):
    kernel_name = "infinity"
    language_name = "typescript"
    file_extension = ".ts"

    code_hello_world = 'console.log("hello, world")'
    code_stderr = 'console.error("oops")'
    code_generate_error = 'throw new Error("oops")'
    code_clear_output = "clearOutput()"
    code_inspect_sample = "parseInt"

    completion_samples = [
        {"text": "const q = 1; Math.cbr", "matches": {"cbrt"}},
        {"text": 'import * as aq from "arquer', "matches": {"arquero"}},
        {"text": 'import "infinity-inference/core/rou', "matches": {"infinity-inference/core/rounding"}},
    ]

    complete_code_samples = ["1", "await Promise.resolve(1)", "function f() { return 1; }", "%who"]
    incomplete_code_samples = ["function f() {", "[1, 2", "const s = `text", "1 +", "/* text"]
    invalid_code_samples = ["const = 1;", "a b", "}", 'const s = "text']

    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "[1, 2].map((x) => 2 * x)", "result": "[ 2, 4 ]"},
        {"code": '({ a: "é😀" })', "result": "{ a: 'é😀' }"},
        {
            "code": '({ [Symbol.for("Jupyter.display")]: () => ({ "text/html": "<b>x</b>" }) })',
            "result": "<b>x</b>",
            "mime": "text/html",
        },
    ]
    code_history_pattern = "6 ? 7"
    supported_history_operations = ("tail", "range", "search")

    code_display_data = [
        {"code": 'html("<b>x</b>")', "mime": "text/html"},
        {"code": "show({ data: [] })", "mime": "application/vnd.plotly.v1+json"},
        {"code": 'display({ "image/svg+xml": "<svg/>" })', "mime": "image/svg+xml"},
    ]


if __name__ == "__main__":
    unittest.main()
