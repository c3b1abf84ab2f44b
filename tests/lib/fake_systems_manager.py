"""A fake of Systems Manager, and of EC2's DescribeInstances, on a loopback port; its one instance runs commands here.

A command is what terraform/ makes of it: the parameters must match the document, and reach its script as environment
variables. `host` is the directory that stands for the instance's root. As in AWS, a command is unknown at first, has
no output before its end, and at most 24,000 and 8,000 characters then. AWS_ENDPOINT_URL points boto3 at it.
"""

import os
import re
import subprocess
import uuid
from pathlib import Path

import infra
from fake_api import Api, Refused

INSTANCE = "i-0123456789abcdef0"
INSTANCES = f"""<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet><item>
<instancesSet><item><instanceId>{INSTANCE}</instanceId><instanceState><code>16</code><name>running</name></instanceState>
<ipAddress>203.0.113.7</ipAddress></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"""
CUT = "\n--output truncated--"


class SystemsManager(Api):
    def __init__(self, host, name="book-shop"):
        super().__init__()
        self.host, self.name, self.commands = Path(host), name, {}
        self.documents = infra.documents()

    def answer(self, operation, body):
        if operation:
            return super().answer(operation, body)
        self.calls.append(("DescribeInstances", {}))  # EC2 receives forms and responds with XML
        return "text/xml", INSTANCES

    def on_DescribeInstanceInformation(self, **_):
        return {"InstanceInformationList": [{"InstanceId": INSTANCE, "PingStatus": "Online"}]}

    def on_SendCommand(self, InstanceIds, DocumentName, Parameters, **_):
        if InstanceIds != [INSTANCE]:
            raise Refused("InvalidInstanceId")
        name, _, environment = DocumentName.rpartition("-")
        if name != self.name or environment not in self.documents:
            raise Refused("InvalidDocument")
        document = self.documents[environment]
        given = {key: values[0] for key, values in Parameters.items()}
        if not given.keys() <= document["parameters"].keys():
            raise Refused("InvalidParameters")
        for key, parameter in document["parameters"].items():
            given.setdefault(key, parameter.get("default"))
            allowed = parameter.get("allowedValues", [given[key]])
            if (
                given[key] not in allowed
                or len(given[key]) > parameter.get("maxChars", 65536)
                or not re.fullmatch(parameter.get("allowedPattern", "(?s).*"), given[key])
            ):
                raise Refused("InvalidParameters")
        environ = {"PATH": os.environ["PATH"]} | {f"SSM_{key}": value for key, value in given.items()}
        script = infra.commands_of(document).replace("/opt/book-shop", f"{self.host}/opt/book-shop")
        streams = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        command = str(uuid.uuid4())
        self.commands[command] = [False, subprocess.Popen(["sh", "-c", script], env=environ, text=True, **streams)]
        return {"Command": {"CommandId": command}}

    def on_GetCommandInvocation(self, CommandId, InstanceId, **_):
        asked, process = self.commands[CommandId]
        self.commands[CommandId][0] = True
        if not asked:
            raise Refused("InvocationDoesNotExist")
        answer = {"CommandId": CommandId, "InstanceId": InstanceId, "ResponseCode": -1, "Status": "InProgress"}
        answer |= {"StandardOutputContent": "", "StandardErrorContent": ""}
        if isinstance(process, subprocess.Popen):
            try:
                process = self.commands[CommandId][1] = (*process.communicate(timeout=0.1), process.returncode)
            except subprocess.TimeoutExpired:
                return answer | {"StatusDetails": "InProgress"}
        output, errors, code = process
        answer["StandardOutputContent"] = output if len(output) <= 24000 else output[: 24000 - len(CUT)] + CUT
        errors += f"failed to run commands: exit status {code}" if code else ""
        answer["StandardErrorContent"] = errors if len(errors) <= 8000 else errors[: 8000 - len(CUT)] + CUT
        status = "Failed" if code else "Success"
        return answer | {"ResponseCode": code, "Status": status, "StatusDetails": status}
