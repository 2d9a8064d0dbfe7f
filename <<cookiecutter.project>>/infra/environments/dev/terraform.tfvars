name = "<< cookiecutter.project >>"
port = 8100
